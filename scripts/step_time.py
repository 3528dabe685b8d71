#!/usr/bin/env python3
"""Predicts the time of a step of the batched engine on an H100 from the report of scripts/kernels_lab.sh.

    scripts/kernels_lab.sh --json --arch sm_90a --type f32 >lab.json
    scripts/step_time.py lab.json              # the table of docs/performance.md
    scripts/step_time.py --check lab.json      # fails if a measured time is missed by more than 30%

The time of a kernel is the time of its instructions or of its bytes, whichever is longer. Instructions are counted per
item of a phase: iterations of the main loop times its length, plus a share of the rest of the kernel. A multiprocessor
issues as many instructions as its resident warps allow. Products and elementwise operations of libtorch take a fixed
time plus the time of their bytes or products. Each kernel adds the gap between two nodes of a graph. Constants below
that are not in a data sheet are estimates, which are the same for all kernels and networks; none was fitted to a
measured time.
"""
import argparse
import json
import math
import sys

# H100 SXM: multiprocessors, cycles per us, bytes per us from memory and from the second-level cache, bytes that this cache holds,
# warps of a multiprocessor, products per us in fp32 and tf32.
SMS, CLOCK, BANDWIDTH, CACHED, CACHE, WARPS = 132, 1700, 3.35e6 * 0.85, 5.5e6, 30e6, 64
FP32, TF32 = 0.3 * 33.5e6, 0.6 * 247e6
ISSUED, PER_WARP = 2.5, 0.25  # instructions per cycle: maximum of a multiprocessor, and of a resident warp
GAP, PRODUCT, ELEMENTWISE = 1.2, 4.5, 2.0  # us: gap between two nodes, small batched product, small elementwise kernel

# The shares of a kernel's instructions outside its main loop that are executed per item, and per staged value.
AROUND, STAGED = 0.35, 0.08
# Instructions per item as a share of the kernel's instructions, for kernels whose inner loops make the main loop meaningless
# (docs/kernels.md).
GENERAL = {"pool": 0.49, "pool_back": 0.67, "from_columns": 0.86}
# Lanes of a warp that visit different taps are executed one after another.
DIVERGED = 2.0
# Matrix instructions: their share of the processor's peak, the share of the time that is not lost because loads and products
# of a multiprocessor do not overlap, its warps, which registers limit, and how often a thread runs the loops of loads within
# the main loop. Where these are in another loop, a stage executes a share of the kernel's other instructions.
MATRIX, OVERLAP, MATRIX_WARPS, LOADS, STAGE = 0.62, 0.75, 16, 1.5, 0.45
# If from_columns has the taps as constants, it skips those outside the image.
VISITED = 0.57


class Step:
    """The kernels of a step and their times. shaped: they are compiled for shapes; fused: and all layers are in few kernels."""

    def __init__(self, lab, clients, samples, shaped, rate, fused=False):
        self.all_in_one = fused
        self.rows = {r["kernel"]: r for r in lab if r["architecture"] == "sm_90a"}
        self.clients, self.images, self.shaped, self.rate = clients, clients * samples, shaped, rate
        self.times = []
        self.forward = 0.0  # time of the convolutions' forward pass in us

    def row(self, kernel, shape):
        general = self.rows[kernel + "_f32"]
        known = [self.rows[k] for k in self.rows if k.startswith(f"{kernel}_f32_{shape}")]
        return (known[0], True) if self.shaped and known else (general, False)

    def add(self, name, us):
        self.times.append((name, us + GAP))

    def run(self, name, blocks, instructions, warps=8.0, size=0.0):
        """Adds a kernel whose blocks execute the given number of instructions per warp, with the given number of active warps."""
        each = math.ceil(blocks / SMS)
        issued = min(ISSUED, PER_WARP * min(WARPS, each * warps))
        work = each if each < 8 else blocks / SMS
        self.add(name, max(ELEMENTWISE, work * instructions / issued / CLOCK, size / BANDWIDTH))

    def chunks(self, kernel, items, per_item, size):
        self.run(kernel, items / 2048, 2048 / 32 * per_item, 8, size)

    def product(self, name, products, size):
        self.add(name, PRODUCT + max(products / self.rate, size / BANDWIDTH))

    def elementwise(self, name, size):
        self.add(name, max(ELEMENTWISE, size / BANDWIDTH))

    # A convolution with ReLU and maximum in the fused kernels.
    def fused(self, c_in, c_out, side, k, padding, wants_input):
        wide, plane, out = side + 2 * padding, (side + 2 * padding) ** 2, (side + 2 * padding - k + 1) // 2
        taps, area, shape = c_in * k * k, out * out, f"{c_in}_{c_out}_{side}_"
        rest = lambda r: r["instructions"] - r["main loop"]
        multiply = lambda r: max(1, r["share"] * r["main loop"])

        r, constant = self.row(f"block_ahead_{k}", shape)
        items, lanes = 4 * math.ceil(c_out / 8) * area, 4 * taps * (min(8, c_out) if constant else 8)
        item = lanes / multiply(r) * r["main loop"] + AROUND * rest(r)
        stage = STAGED * rest(r) * (4 * c_in * plane + taps * c_out)
        self.run(f"block_ahead {c_in}", self.images / 4, (items * item + stage) / 32, min(8, items / 32))
        self.forward += self.times[-1][1]

        r, _ = self.row(f"block_weight_back_{k}", shape)
        channels = min(8, c_out)
        item = area / multiply(r) * r["main loop"] + AROUND * rest(r) / 2
        stage = STAGED * rest(r) * (c_in * plane + 2 * channels * area)
        self.run(f"block_weight_back {c_in}", self.images / 8 * math.ceil(c_out / 8), 8 * (channels * taps * item + stage) / 32,
                 min(8, channels * taps / 32))
        self.elementwise("sum of partials", self.images / 8 * c_out * taps * 4)
        r, _ = self.row("pool_bias_back", f"{c_out}_")
        self.run("pool_bias_back", self.clients * c_out, 64 * area / 32 * r["main loop"] / 4)
        if wants_input:
            r, _ = self.row(f"block_input_back_{k}", shape)
            visits = c_out * (out * (k + 1) / side) ** 2
            item = visits / multiply(r) * r["main loop"] * DIVERGED
            self.run("block_input_back", self.images, (c_in * side * side * item + STAGED * rest(r) * c_out * (taps + area)) / 32)

    # The forward pass through all convolutions (in, out, side, k, padding) in one kernel, as torch/shim/stacked_fused.cc starts it.
    def fused_forward(self, layers):
        c_in, _, side, _, padding = layers[0]
        r = next(self.rows[k] for k in self.rows if k.startswith(f"fused_forward_f32_{len(layers)}_{c_in}_{side}_"))
        tiles = [math.ceil(c_out / 8) for _, c_out, _, _, _ in layers]
        areas = [((side + 2 * padding - k + 1) // 2) ** 2 for _, _, side, k, padding in layers]
        samples, together = self.images // self.clients, max(1, min(8, 256 // min(t * a for t, a in zip(tiles, areas))))
        while together > 1 and self.clients * math.ceil(samples / together) < SMS:
            together -= 1
        lanes = [4 * k * k * math.ceil(c_out / t) for (_, c_out, _, k, _), t in zip(layers, tiles)]  # multiply-adds per input channel
        rest = r["instructions"] - sum(lanes) / r["share"]
        work = STAGED * rest * (together * c_in * (side + 2 * padding) ** 2 + sum(layer[0] * layer[3] ** 2 * layer[1] for layer in layers))
        for (layer_in, _, _, _, _), n, tile, area in zip(layers, lanes, tiles, areas):
            work += together * tile * area * (layer_in * n / r["share"] + AROUND * rest / len(layers))
        return self.clients * math.ceil(samples / together), work / 32

    # The same by columns.
    def columns(self, c_in, c_out, side, k, wants_input):
        out = side - k + 1
        pooled, plane, n = out // 2, out * out, self.images
        shape = f"{c_out}_{out}_{out}"
        cols, y = c_in * k * k * plane * n, c_out * plane * n
        products = cols * c_out
        r, _ = self.row("to_columns", f"{c_in}_{side}")
        self.chunks("to_columns", cols, r["main loop"], 4 * cols)
        self.product("product", products, 4 * (cols + y))
        for kernel, items in (("pool", c_out * pooled * pooled * n), ("pool_back", y)):
            r, constant = self.row(kernel, shape)
            self.chunks(kernel, items, r["main loop"] if constant else GENERAL[kernel] * r["instructions"], 4 * y)
            if kernel == "pool":
                self.forward += sum(t for _, t in self.times[-3:])
        r, _ = self.row("pool_bias_back", shape)
        self.run("pool_bias_back", self.clients * c_out, 64 * pooled * pooled / 32 * r["main loop"] / 4)
        self.elementwise("gradient by channel", 8 * y)
        self.product("weights' gradient", products, 4 * (cols + y))
        if wants_input:
            self.product("columns' gradient", products, 4 * (cols + y))
            r, constant = self.row("from_columns", f"{c_in}_{side}")
            per_item = VISITED * r["main loop"] if constant else GENERAL["from_columns"] * r["instructions"] * k * k / 9
            self.chunks("from_columns", c_in * side * side * n, per_item, 4 * cols)

    # A kernel with matrix instructions, the given number of which a warp of a block executes in each of its stages. warps: of a
    # multiprocessor.
    def matrix(self, name, row, blocks, stages, matrix, size, warps=MATRIX_WARPS):
        per_stage = matrix / row["share"] + (LOADS * row["loads"] if row["loads"] else STAGE * (row["instructions"] - row["main loop"]))
        each = math.ceil(blocks / SMS)
        issued = min(ISSUED, PER_WARP * min(warps, 8 * each))
        work = each if each < 8 else blocks / SMS
        issue = work * 8 * (stages * per_stage + AROUND * row["instructions"]) / issued / CLOCK
        product = work * SMS * 8 * stages * matrix * 1024 / (MATRIX * 247e6)
        self.add(name, max(ELEMENTWISE, issue / OVERLAP, product / OVERLAP, size / BANDWIDTH))

    # A convolution on tensor cores, as torch/shim/stacked_gemm.cc starts its kernels: with ReLU and maximum, or alone with padding
    # that keeps its size for stride 1. onto: the gradient of a shortcut is added to that of the input.
    def tensor_cores(self, c_in, c_out, side, k, wants_input, alone=False, stride=1, onto=False):
        out, n, c = math.ceil(side / stride / 2) * 2 if alone else (side - k + 1) // 2 * 2, self.images, self.clients
        filters, padding = c_in * c_out * k * k, k // 2 if alone else 0
        shape = f"_{k}_f32_{c_in}_{c_out}_{side}_{side}_{padding}_{out // 2}_{out // 2}_{int(alone)}_{stride}"
        x, y = 4 * c_in * side * side * n, 4 * c_out * (side // stride) ** 2 * n if alone else 5 * c_out * out * out // 4 * n
        row = lambda kernel: self.rows[f"conv_gemm_{kernel}{shape}"]
        # With stride 2, shared memory does not suffice for two blocks of these kernels.
        warps = lambda kernel: 8 if stride == 2 and (kernel, k) in (("forward", 3), ("weight", 3)) else MATRIX_WARPS

        # share: of the products that are computed.
        def product(kernel, pack, source, result, quads, size, share=1):
            halves, groups, across = 1 + (source > 4), min(4, math.ceil(result / 16)), 1 + (result > 64)
            tiles, chunks = math.ceil(result / 16 / groups / across), math.ceil(source / 4 / halves)
            steps = k * k if halves == 2 else k * (k // 2) + (k + 1) // 2
            packed = c * tiles * chunks * steps * groups * across * 128
            self.run(f"conv_gemm_{pack}", c * tiles * chunks, packed / c / tiles / chunks / 32 * row(pack)["main loop"] / 4, 8, 8 * packed)
            r = row(kernel)
            if not r["share"]:  # one chunk: the compiler has unrolled the loop
                r = {**r, "share": 1.0, "loads": 0}
            self.matrix(f"conv_gemm_{kernel}", r, c * tiles * math.ceil(n // c * quads / (64 // across)), chunks, share * steps * groups * 4,
                        size + 4 * packed, warps(kernel))
        product("forward", "pack", c_in, c_out, out * out // 4, x + y)
        self.forward += sum(t for _, t in self.times[-2:])
        across_in, outs = 4 if c_in > 16 else 2 if c_in > 8 else 1, 32 if k == 5 else 64
        tiles = math.ceil(c_out / outs) * math.ceil(c_in / 8 / across_in)
        slices = max(1, min((64 if alone else 16) // tiles, n // c))
        parts = slices * (4 // across_in)
        stages = math.ceil(n // c * out * out / 4 / 16 / slices)
        self.matrix("conv_gemm_weight", row("weight"), c * slices * tiles, stages, 4 * across_in / 4 * outs / 32 * 2 * k * k, x + y,
                    warps("weight"))
        if parts > 1:
            self.elementwise("sum of partials", 4 * c * parts * filters)
        if not alone:
            r, _ = self.row("pool_bias_back", f"{c_out}_")
            self.run("pool_bias_back", c * c_out, 64 * out * out / 4 / 32 * r["main loop"] / 4)
        if wants_input:
            product("input", "turn", c_out, c_in, out * out // 4 if k == 1 else math.ceil(side / 2) ** 2, x + y + x * onto,
                    1 / stride**2 if k > 1 else 1)

    # A convolution alone by columns.
    def columns_alone(self, c_in, c_out, side, k, stride):
        pixels = self.images * (side // stride) ** 2
        x, cols, y = self.images * c_in * side * side, c_in * k * k * pixels, c_out * pixels
        for kernel, items in (("to_columns", cols), ("from_columns", x)):
            r, _ = self.row(kernel, f"{c_in}_{side}_{side}_{k}_{stride}_")
            self.chunks(kernel, items, r["main loop"], 4 * (cols + x))
        self.elementwise("gradient by channel", 8 * y)
        for name in ("product", "weights' gradient", "columns' gradient"):
            self.product(name, cols * c_out, 4 * (cols + y))

    # A kernel of batch norm with nothing, a ReLU or an addition behind it, which runs over its values several times. Later times
    # read the cache if it holds what the running blocks read. once: further arrays that are read or written once. Loops are
    # unrolled four times.
    def passes(self, kernel, channels, side, behind, reads, once):
        r, _ = self.row(kernel, f"{side * side}_{behind}")
        values = self.images // self.clients * side * side
        arrays = 1 if kernel == "batch_norm" else 2
        cached = SMS * WARPS / 8 * 4 * arrays * values < CACHE
        size = 4 * self.clients * channels * values
        again = size * (reads - 1) * arrays
        self.run(kernel, self.clients * channels, reads * values / 32 * r["main loop"] / 4, 8,
                 size * (arrays + once) + (again * BANDWIDTH / CACHED if cached else again))

    # Batch norm and ReLU behind a convolution, as one layer or two. Training reads the values three times, for the mean, the variance
    # and the output; the backward pass reads input and gradient for the sums and for the gradient of the input. A frozen encoder
    # reads the values once.
    def norm_relu(self, channels, side, fused):
        self.norm(channels, side, 1)
        if not fused:
            size = 4 * self.images * channels * side * side
            self.elementwise("ReLU", 2 * size)
            self.forward += self.times[-1][1]
            self.elementwise("ReLU's gradient", 3 * size)

    # Batch norm, alone or with the ReLU behind it.
    def norm(self, channels, side, behind):
        self.passes("batch_norm", channels, side, behind, 3, 1)
        self.passes("batch_norm_back", channels, side, behind, 2, 1)
        self.forward += max(ELEMENTWISE, 8 * self.images * channels * side * side / BANDWIDTH) + GAP

    # Batch norm, addition of a shortcut and ReLU, as one layer or three. relu_first: the ReLU is before the addition. As one layer, the
    # forward pass also reads the shortcut. If the ReLU is last, the backward pass reads the output and writes the gradient of the sum.
    def norm_addition(self, channels, side, fused, relu_first=False):
        size = 4 * self.images * channels * side * side
        if fused:
            behind, behind_back, once = (3, 1, 1) if relu_first else (2, 2, 3)
            self.passes("batch_norm", channels, side, behind, 3, 2)
            self.passes("batch_norm_back", channels, side, behind_back, 2, once)
            self.forward += max(ELEMENTWISE, 3 * size / BANDWIDTH) + GAP
        else:
            self.norm(channels, side, 1 if relu_first else 0)
            self.elementwise("addition", 3 * size)
            self.elementwise("ReLU", 2 * size)
            self.forward += self.times[-1][1] + self.times[-2][1]
            self.elementwise("ReLU's gradient", 3 * size)

    def maximum(self, channels, side, window):
        n, size = self.images * channels * side * side, 4 * self.images * channels * side * side
        r, _ = self.row("pool", f"{channels}_{side}_")
        self.chunks("pool", n / window**2, r["main loop"], size)
        self.forward += self.times[-1][1]
        r, _ = self.row("pool_back", f"{channels}_{side}_")
        self.chunks("pool_back", n, r["main loop"], size)

    # The sum of the two gradients of a residual layer's input, if no other kernel adds them.
    def residual_back(self, channels, side):
        self.elementwise("residual's gradient", 12 * self.images * channels * side * side)

    # Linear layers with ReLU between them, the head, the loss, SGD, and the kernels that copy images and features.
    def rest(self, widths, pixels, parameters):
        self.chunks("gather_images", pixels * self.images, self.rows["gather_images_f32"]["main loop"], 5 * pixels * self.images)
        for i, (a, b) in enumerate(zip(widths, widths[1:])):
            products, size = self.images * a * b, 4 * (self.clients * a * b + self.images * (a + b))
            for name in ("linear", "weights' gradient", "input's gradient"):
                self.product(name, products, size)
            for name in ("bias", "bias's gradient") + (("ReLU", "ReLU's gradient") if i + 2 < len(widths) else ()):
                self.elementwise(name, 8 * self.images * b)
        for name in ("features", "other features", "loss", "step"):
            self.elementwise(name, 8 * self.images * widths[-2])
        self.chunks("sgd_step", self.clients * parameters, self.rows["sgd_step"]["main loop"], 20 * self.clients * parameters)

    # The backward pass likewise, in blocks of two samples.
    def fused_backward(self, layers):
        c_in, _, side, _, _ = layers[0]
        r = next(self.rows[k] for k in self.rows if k.startswith(f"fused_backward_f32_{len(layers)}_{c_in}_{side}_"))
        multiply, staged, inner = 0, 0, 0  # multiply-adds and staged values of a block; multiply-adds in the loops' bodies
        for i, (c_in, c_out, side, k, padding) in enumerate(layers):
            columns = (side + 2 * padding - k + 1) // 2 * 2
            channels = math.ceil(c_out / math.ceil(c_out / min(4, 4 if i == 0 else math.ceil(c_out * c_in * k / 256))))
            multiply += 2 * columns * math.ceil(c_out / channels) * (c_in * k + 1) * columns * channels * k
            inner += columns * channels * k
            staged += 2 * (c_in * (side + 2 * padding) ** 2 + c_out * (columns // 2 if i == 0 else (side + k) // 2) ** 2)
            if i > 0:
                tiles = math.ceil(c_in / 4)
                multiply += 2 * math.ceil(side / 2) ** 2 * tiles * c_out * 4 * k * k * math.ceil(c_in / tiles)
                inner += 4 * k * k * math.ceil(c_in / tiles)
                staged += c_out * c_in * k * k
        work = multiply / r["share"] + STAGED * (r["instructions"] - inner / r["share"]) * staged
        return self.clients * math.ceil(self.images / self.clients / 2), work / 32

    # The linear layers of the given widths and a head, forward and back in one kernel, and the steps of SGD of all layers in
    # another, as torch/shim/stacked_linear.cc starts them. inputs: of the head; values: of the convolutions.
    def fused_linear(self, widths, inputs, values):
        samples, fours = self.images // self.clients, lambda n: math.ceil(n / 4)
        together = 4 if self.clients * math.ceil(samples / 8) < SMS else 8
        name = f"_f32_{len(widths) - 2}_{widths[0]}_{inputs}_"
        layers = list(zip(widths, widths[1:-1])) + [(inputs, widths[-1])]
        warps = lambda items: 32 * math.ceil(items / 32)

        # Outputs, or in the backward pass inputs, are dealt out by fours, and the others over lanes or parts.
        r = next(self.rows[k] for k in self.rows if k.startswith("fused_dense" + name) and k.endswith(f"_{together}"))
        rest = r["instructions"] / len(layers) - 2 * r["main loop"]
        work = STAGED * rest * together * (fours(widths[0]) + fours(inputs) + widths[-1])
        for i, (n_in, n_out) in enumerate(layers):
            lanes = max(n for n in (1, 2, 4, 8, 16, 32) if n < 2 * fours(n_in) and (n <= 8 or n * fours(n_out) <= 256))
            back = widths[-2] if i + 1 == len(layers) else n_in
            share = fours(math.ceil(n_out / min(16, max(1, 256 // fours(back)))))
            for items, loops, results in ((fours(n_out) * lanes, math.ceil(fours(n_in) / lanes), fours(n_out)),
                                          (fours(back) * math.ceil(n_out / share / 4), share, fours(back))):
                work += warps(items) * (16 * together * loops / r["share"] + AROUND * rest / 2) + STAGED * rest * together * results
        blocks = self.clients * math.ceil(samples / together)
        size = 8 * sum(n_in * n_out for n_in, n_out in layers)  # weights, read from the cache in both directions
        self.run("fused_dense", blocks, work / 32, 8, blocks * size * BANDWIDTH / CACHED)

        # The weights are dealt out in tiles of four by four.
        r = next(self.rows[k] for k in self.rows if k.startswith("fused_step" + name) and k.endswith("_1_1"))
        rest = r["instructions"] / len(layers) - r["main loop"]
        blocks, work = 0, 0
        for n_in, n_out in layers:
            rows = math.ceil(fours(n_out) / math.ceil(fours(n_out) / 16))
            columns = math.ceil(fours(n_in) / math.ceil(fours(n_in) / (256 // rows)))
            n = math.ceil(fours(n_out) / rows) * math.ceil(fours(n_in) / columns)
            blocks += n
            work += n * (warps(rows * columns) * (16 * samples / r["share"] + AROUND * rest) + STAGED * rest * samples * (rows + columns))
        groups, step = samples // 2, self.rows["fused_sgd_step"]
        blocks += math.ceil(values / 256)
        work += warps(values) * (groups / 4 * step["main loop"] + step["instructions"])
        size = 20 * sum(n_in * n_out for n_in, n_out in layers) + 4 * groups * values
        self.run("fused_step", self.clients * blocks, work / blocks / 32, 8, self.clients * size)
        self.elementwise("step", 8)

    # The convolutions of a small network.
    def convolutions(self, layers):
        if not self.all_in_one:
            for i, layer in enumerate(layers):
                self.fused(*layer, i > 0)
            return
        self.run("fused_forward", *self.fused_forward(layers))
        self.forward = self.times[-1][1]
        self.run("fused_backward", *self.fused_backward(layers))

    # A phase begins with the features of all samples under the frozen encoder: a forward pass for each step of an epoch.
    def frozen(self, epochs):
        self.times.append(("frozen encoder", self.forward / epochs))

    def us(self):
        return sum(t for _, t in self.times)

    def of(self, kernels):
        return sum(t for name, t in self.times if name.startswith(kernels))


def lenet(lab, clients, epochs, shaped, fused=False):
    s = Step(lab, clients, 64, shaped, FP32, fused)
    s.convolutions([(1, 6, 28, 5, 2), (6, 16, 14, 5, 0)])
    if fused:
        s.fused_linear([400, 120, 84, 10], 168, 2572)
    else:
        s.rest([400, 120, 84, 10], 784, 61706)
    s.frozen(epochs)
    return s


def cnn(lab, clients, epochs, shaped, fused=False, tensor=False):  # no fused kernels: its weights do not fit into shared memory
    s = Step(lab, clients, 64, shaped, TF32)
    for layer in ((3, 64, 32, 3, False), (64, 128, 15, 3, True), (128, 256, 6, 3, True)):
        (s.tensor_cores if tensor else s.columns)(*layer)
    s.rest([1024, 128, 256, 10], 3072, 537610)
    s.frozen(epochs)
    return s


def resnet9(lab, clients, epochs, fused):  # convolutions on tensor cores
    s = Step(lab, clients, 64, True, TF32)

    def layer(c_in, c_out, side, onto=False):
        s.tensor_cores(c_in, c_out, side, 3, c_in > 3, alone=True, onto=onto)
        s.norm_relu(c_out, side, fused)

    def residual(channels, side):
        layer(channels, channels, side, onto=fused)
        s.tensor_cores(channels, channels, side, 3, True, alone=True)
        s.norm_addition(channels, side, fused, relu_first=True)
        if not fused:
            s.residual_back(channels, side)
    layer(3, 64, 32)
    layer(64, 128, 32)
    s.maximum(128, 32, 2)
    residual(128, 16)
    layer(128, 256, 16)
    s.maximum(256, 16, 2)
    layer(256, 512, 8)
    s.maximum(512, 8, 2)
    residual(512, 4)
    s.maximum(512, 4, 4)
    s.rest([512, 10], 3072, 6573130)
    s.frozen(epochs)
    return s


def resnet18(lab, clients, epochs, fused):  # convolutions on tensor cores; every ReLU without an addition is in the layer of its norm
    s = Step(lab, clients, 64, True, TF32)
    s.tensor_cores(3, 64, 32, 3, False, alone=True)
    s.norm_relu(64, 32, True)
    c_in, side = 64, 32
    for c_out in (64, 128, 256, 512):
        for stride in (1 if c_out == 64 else 2, 1):
            s.tensor_cores(c_in, c_out, side, 3, True, True, stride, onto=fused)
            if not fused:
                s.residual_back(c_in, side)
            if stride == 2:
                s.tensor_cores(c_in, c_out, side, 1, True, True, stride)
                s.norm(c_out, side // stride, 0)
            c_in, side = c_out, side // stride
            s.norm_relu(c_out, side, True)
            s.tensor_cores(c_out, c_out, side, 3, True, True)
            s.norm_addition(c_out, side, fused)
    s.rest([512, 10], 3072, 11173962)
    s.frozen(epochs)
    return s


# Times measured on an H100 with the general kernels (docs/performance.md), in us per step. A round of 100 clients with label
# skew takes 239 ms, including about 27 ms for evaluation and uploads; it has 610 steps with 7 clients on average.
MEASURED = [
    ("lenet, fp32, 20 clients, 1 epoch", lenet, 20, 1, 19000 / 20),
    ("lenet, fp32, a round of FedDAG: 7 clients, 10 epochs", lenet, 7, 10, (239000 - 27000) / 610),
    ("cnn, tf32, 20 clients, 1 epoch", cnn, 20, 1, 93000 / 16),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", help="output of scripts/kernels_lab.sh --json; - for standard input")
    parser.add_argument("--check", action="store_true", help="fail if a measured time is missed by more than 30%%")
    parser.add_argument("--kernels", action="store_true", help="print the time of each kernel")
    o = parser.parse_args()
    with sys.stdin if o.lab == "-" else open(o.lab) as file:
        lab = json.load(file)
    print("| step | measured, us | general kernels, us | off by | kernels for shapes, us | fused kernels, us | tensor cores, us |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    missed = []
    for name, network, clients, epochs, measured in MEASURED:
        general, shaped = (network(lab, clients, epochs, s) for s in (False, True))
        fused = network(lab, clients, epochs, True, True)
        tensor = network(lab, clients, epochs, True, tensor=True) if network is cnn else None  # lenet is in fp32
        off = general.us() / measured - 1
        last = f"{tensor.us():.0f}" if tensor else ""
        print(f"| {name} | {measured:.0f} | {general.us():.0f} | {100 * off:+.0f}% | {shaped.us():.0f} | {fused.us():.0f} | {last} |")
        if o.kernels:
            for (kernel, before), (_, after) in zip(general.times, shaped.times):
                print(f"    {kernel:24s} {before:8.1f} {after:8.1f}")
            for kernel, us in fused.times:
                print(f"    with fused kernels: {kernel:24s} {us:8.1f}")
            for kernel, us in tensor.times if tensor else ():
                print(f"    on tensor cores: {kernel:24s} {us:8.1f}")
        if abs(off) > 0.3:
            missed.append(f"{name}: predicted {general.us():.0f} us, measured {measured:.0f} us")
    print()
    print("| step with convolutions on tensor cores | convolutions, us | norms, additions and ReLUs, us | frozen encoder, us | whole step, us |")
    print("|---|---:|---:|---:|---:|")
    for network, name, fused in ((resnet9, "a norm, a ReLU and an addition are three layers", False), (resnet9, "a norm, a ReLU and an addition are one layer", True),
                                 (resnet18, "a norm, an addition and a ReLU are three layers", False),
                                 (resnet18, "a norm, an addition and a ReLU are one layer", True)):
        s = network(lab, 20, 1, fused)
        parts = (s.of("conv_gemm") + s.of("sum of partials"), s.of("batch_norm") + s.of("ReLU") + s.of("addition") + s.of("residual"),
                 s.of("frozen"), s.us())
        print(f"| {network.__name__}, tf32, 20 clients, 1 epoch, {name} | " + " | ".join(f"{us:.0f}" for us in parts) + " |")
        if o.kernels and fused:
            for kernel, us in s.times:
                print(f"    {kernel:24s} {us:8.1f}")
    print()
    print("| convolutions of resnet18 with stride 2 | on tensor cores, us | by columns, us |")
    print("|---|---:|---:|")
    for k in (3, 1):
        for c_in, side in ((64, 32), (128, 16), (256, 8)):
            tensor, columns = (Step(lab, 20, 64, True, TF32) for _ in range(2))
            tensor.tensor_cores(c_in, 2 * c_in, side, k, True, True, 2)
            columns.columns_alone(c_in, 2 * c_in, side, k, 2)
            print(f"| {k}x{k}, {c_in}x{side}x{side} | {tensor.us():.0f} | {columns.us():.0f} |")
    if o.check and missed:
        sys.exit("step_time: " + "; ".join(missed))


if __name__ == "__main__":
    main()
