"""Writes parity.json: ten steps of plain PyTorch on the networks and jobs of parity_test.go.

Weights, images, labels and orders come from an integer hash that the Go test computes too, so that the fixture holds
results alone. Run with any PyTorch on the CPU:  python3 make_fixtures.py > parity.json
"""
import json
import sys
import numpy as np
import torch
import torch.nn.functional as F

N, BATCH, EPOCHS, CLASSES = 22, 5, 2, 10  # five steps an epoch, the last one ragged
SEEDS = range(100, 112)
LR, MOMENTUM, DECAY = 0.05, 0.5, 1e-4


# Noise that stands for the rounding of other programs, relative to the root mean square of a layer's outputs. After a
# convolution of the ResNets float32 differs from float64 by 3e-7 on average and by up to 2e-6, in PyTorch on one processor.
NOISE, TRIALS = 4e-6, 6


class Rounding:
    """Adds noise to the outputs of convolutions and linear layers within `with Rounding(seed)`."""
    generator = None

    def __init__(self, seed):
        self.seed = seed

    def __enter__(self):
        Rounding.generator = torch.Generator().manual_seed(self.seed)

    def __exit__(self, *_):
        Rounding.generator = None

    @staticmethod
    def of(y):
        if Rounding.generator is None:
            return y
        noise = 2 * torch.rand(y.shape, dtype=y.dtype, generator=Rounding.generator) - 1
        return y + NOISE * y.detach().square().mean().sqrt() * noise


def deviation(result, exact):
    """How far two results of run are apart: the largest differences of values, of losses (relative), of the lengths of
    tensors' updates (relative)."""
    value = (result[1] - exact[1]).abs().div(exact[1].abs().clamp(min=1)).max().item()
    loss = max(abs(a / b - 1) for a, b in zip(result[0]["losses"], exact[0]["losses"]))
    pairs = [(result[0]["tensors"][name]["norm"], b["norm"]) for name, b in exact[0]["tensors"].items()]
    return value, loss, max(abs(a / b - 1) for a, b in pairs if b > 0)


def search(run, seeds, cases):
    """Prints how much the results of each case depend on rounding, for each seed of the images.

    Where an activation lies within rounding of the kink of a ReLU, or the two largest values of a pooling window within
    rounding of each other, two correct programs take different sides, and then their results differ by far more than
    rounding. Which side a program takes depends on the order of its sums, that is on the processor and its BLAS kernel.
    Several trainings with random noise of that size find such places; the float32 training of one machine does not.
    """
    for case in cases:
        for seed in seeds:
            exact = run(*case, seed, torch.float64)
            found = [deviation(run(*case, seed, torch.float32), exact)]
            for trial in range(TRIALS):
                if max(found[-1][:2]) > 1e-5:
                    break  # the tests would fail: no seed to take
                with Rounding(trial):
                    found.append(deviation(run(*case, seed, torch.float32), exact))
            print(*case, "seed", seed, "value %.1e loss %.1e length %.1e" % tuple(map(max, zip(*found))), flush=True)


def main(run, seeds, cases):
    """Writes the fixture of cases, (seed, case) each, or searches for better seeds."""
    torch.set_num_threads(1)
    if sys.argv[1:] == ["--search"]:
        search(run, seeds, [case for _, case in cases])
    else:
        print(json.dumps({"torch": torch.__version__, "cases": [run(*case, seed, torch.float32)[0] for seed, case in cases]}))


def hashed(stream, n):
    """n uint32 values of a stream: the finaliser of murmur3 over counters."""
    h = (np.arange(n, dtype=np.uint64) + np.uint64(stream) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint64(shift)
        h = (h * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return h ^ (h >> np.uint64(16))


MODELS = {  # conv: (name, in, out, kernel, padding); linear: (name, in, out)
    "lenet": dict(input=(1, 28, 28), convs=[("conv1", 1, 6, 5, 2), ("conv2", 6, 16, 5, 0)],
                  linears=[("fc1", 400, 120), ("fc2", 120, 84)], features=84),
    "cnn": dict(input=(3, 32, 32), convs=[("conv1", 3, 64, 3, 0), ("conv2", 64, 128, 3, 0), ("conv3", 128, 256, 3, 0)],
                linears=[("fc1", 1024, 128), ("fc2", 128, 256)], features=256),
}


def parameters(model, dual, dtype):
    shapes = []
    for part in ["primary", "secondary"][: 1 + dual]:
        for name, i, o, k, _ in model["convs"]:
            shapes += [(f"{part}.{name}.weight", (o, i, k, k), i * k * k), (f"{part}.{name}.bias", (o,), i * k * k)]
        for name, i, o in model["linears"]:
            shapes += [(f"{part}.{name}.weight", (o, i), i), (f"{part}.{name}.bias", (o,), i)]
    width = model["features"] * (1 + dual)
    shapes += [("head.weight", (CLASSES, width), width), ("head.bias", (CLASSES,), width)]
    total = sum(int(np.prod(s)) for _, s, _ in shapes)
    unit = hashed(1, total).astype(np.float64) / 2**32
    out, at = {}, 0
    for name, shape, fan in shapes:
        n = int(np.prod(shape))
        w = ((2 * unit[at:at + n] - 1) / np.sqrt(fan)).astype(np.float32)
        out[name] = torch.tensor(w.reshape(shape)).to(dtype)
        at += n
    return out


def encode(model, p, part, x):
    for name, _, _, _, pad in model["convs"]:
        x = Rounding.of(F.conv2d(x, p[f"{part}.{name}.weight"], p[f"{part}.{name}.bias"], padding=pad))
        x = F.max_pool2d(F.relu(x), 2)
    x = x.flatten(1)
    for name, _, _ in model["linears"]:
        x = F.relu(Rounding.of(F.linear(x, p[f"{part}.{name}.weight"], p[f"{part}.{name}.bias"])))
    return x


def sgd_of(parameters):
    return torch.optim.SGD(parameters, lr=LR, momentum=MOMENTUM, weight_decay=DECAY)


def run(name, dual, parts, seed, dtype, optimizer_of=sgd_of):
    model = MODELS[name]
    size = int(np.prod(model["input"]))
    pixels = (hashed(seed, N * size) >> np.uint64(24)).astype(np.uint8).reshape((N,) + model["input"])
    labels = torch.tensor((hashed(3, N) % np.uint64(CLASSES)).astype(np.int64))
    x = ((torch.tensor(pixels).float() / 255 - 0.45) / 0.25).to(dtype)
    p = parameters(model, dual, dtype)
    start = {k: v.clone() for k, v in p.items()}
    trained = [k for k in p if k.split(".")[0] in parts]
    for k in trained:
        p[k].requires_grad_(True)
    optimizer = optimizer_of([p[k] for k in trained])
    losses = []
    for epoch in range(EPOCHS):
        order = np.argsort(hashed(10 + epoch, N), kind="stable")
        total = 0.0
        for b in range(0, N, BATCH):
            rows = torch.tensor(order[b:b + BATCH].copy())
            f = encode(model, p, "primary", x[rows])
            if dual:
                f = torch.cat([f, encode(model, p, "secondary", x[rows])], 1)
            loss = F.cross_entropy(F.linear(f, p["head.weight"], p["head.bias"]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / N)
    tensors = {}
    for k in p:
        change = (p[k].detach().double() - start[k].double()).flatten().numpy()
        step = max(1, len(change) // 40)
        tensors[k] = {"norm": float(np.linalg.norm(change)), "step": step, "end": p[k].detach().flatten().numpy()[::step].astype(float).tolist()}
    result = {"model": name, "dual": dual, "parts": parts, "seed": seed, "losses": losses, "tensors": tensors}
    return result, torch.cat([v.detach().double().flatten() for v in p.values()])


if __name__ == "__main__":
    # The seeds are those of --search where rounding matters least.
    PARTS = [(False, ["primary", "head"])] + [(True, parts) for parts in (
        ["primary", "head"], ["secondary"], ["secondary", "head"], ["primary", "secondary"], ["head"],
        ["primary", "secondary", "head"])]
    SEED = {"lenet": [108, 102, 100, 110, 102, 106, 111], "cnn": [105, 111, 106, 106, 108, 107, 105]}
    main(run, SEEDS, [(seed, (m, *parts)) for m in MODELS for seed, parts in zip(SEED[m], PARTS)])
