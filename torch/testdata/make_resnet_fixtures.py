"""Writes resnet.json: three steps of plain PyTorch on the ResNets of resnet_test.go, as torch.nn modules.

Weights come from an integer hash of each tensor's name that the Go test computes too, so that the fixture holds results
alone. Run with any PyTorch on the CPU:  python3 make_resnet_fixtures.py > resnet.json

Each case has images on which rounding matters little: python3 make_resnet_fixtures.py --search (an hour) finds them.
"""
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from make_fixtures import Rounding, hashed, main

N, BATCH, CLASSES = 5, 2, 10  # the last of the three steps has one sample
LR, MOMENTUM, DECAY = 0.001, 0.5, 1e-4
SEEDS = range(100, 110)


def norm(kind, channels):
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(32, channels)


class Conv(nn.Conv2d):
    def forward(self, x):
        return Rounding.of(super().forward(x))


def conv(i, o, k=3, stride=1):
    return Conv(i, o, k, stride, k // 2, bias=False)


class Pair(nn.Module):  # the body of a residual of resnet9, or all of a basic block
    def __init__(self, kind, i, o, stride, basic):
        super().__init__()
        self.conv1, self.bn1, self.conv2, self.bn2 = conv(i, o, 3, stride), norm(kind, o), conv(o, o), norm(kind, o)
        self.basic = basic
        self.downsample = nn.Sequential(conv(i, o, 1, stride), norm(kind, o)) if stride != 1 or i != o else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if not self.basic:
            return x + F.relu(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet9(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        widths = [channels, 64, 128, 256, 512]
        for k in range(4):
            setattr(self, f"conv{k + 1}", conv(widths[k], widths[k + 1]))
            setattr(self, f"bn{k + 1}", norm(kind, widths[k + 1]))
        self.res1, self.res2 = Pair(kind, 128, 128, 1, False), Pair(kind, 512, 512, 1, False)

    def forward(self, x):
        last = x.shape[-1] // 8
        for k in range(1, 5):
            x = F.relu(getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x)))
            x = F.max_pool2d(x, 2) if k > 1 else x
            x = getattr(self, f"res{k // 2}")(x) if k in (2, 4) else x
        return F.max_pool2d(x, last).flatten(1)


class ResNet18(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, 64), norm(kind, 64)
        i = 64
        for stage, o in enumerate((64, 128, 256, 512)):
            stride = 1 if stage == 0 else 2
            setattr(self, f"layer{stage + 1}", nn.Sequential(Pair(kind, i, o, stride, True), Pair(kind, o, o, 1, True)))
            i = o

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return F.adaptive_avg_pool2d(x, 1).flatten(1)


class Whole(nn.Module):
    def __init__(self, model, kind, channels, dual):
        super().__init__()
        self.primary = model(kind, channels)
        self.secondary = model(kind, channels) if dual else None
        self.head = nn.Linear(1024 if dual else 512, CLASSES)

    def forward(self, x):
        f = self.primary(x)
        return self.head(f if self.secondary is None else torch.cat([f, self.secondary(x)], 1))


def fnv(name):
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xFFFFFFFF
    return h


def fill(net):
    for name, t in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        unit = hashed(fnv(name), t.numel()).astype(np.float64) / 2**32
        if t.dim() > 1:
            values = (2 * unit - 1) / np.sqrt(t[0].numel())
        elif name.endswith((".weight", ".running_var")):
            values = 0.5 + unit
        elif name.endswith(".bias") and name != "head.bias":
            values = 3 + 0.1 * (2 * unit - 1)  # of a norm: few activations lie near the kink of a ReLU
        else:
            values = 0.1 * (2 * unit - 1)
        t.copy_(torch.tensor(values.astype(np.float32).reshape(t.shape)))


def run(model, kind, shape, dual, parts, seed, dtype):
    pixels = (hashed(seed, N * int(np.prod(shape))) >> np.uint64(24)).astype(np.uint8).reshape((N,) + tuple(shape))
    labels = torch.tensor((hashed(3, N) % np.uint64(CLASSES)).astype(np.int64))
    x = ((torch.tensor(pixels).float() / 255 - 0.45) / 0.25).to(dtype)
    net = Whole({"resnet9": ResNet9, "resnet18": ResNet18}[model], kind, shape[0], dual)
    fill(net)
    net.to(dtype)
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    start = {k: v.clone() for k, v in state.items()}
    for part in ("primary", "secondary", "head"):
        module = getattr(net, part)
        if module is not None:
            module.requires_grad_(part in parts)
            module.train(part in parts)  # frozen encoders evaluate
    sgd = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    total = 0.0
    order = np.argsort(hashed(10, N), kind="stable")
    for b in range(0, N, BATCH):
        rows = torch.tensor(order[b:b + BATCH].copy())
        loss = F.cross_entropy(net(x[rows]), labels[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        total += loss.item() * len(rows)
    tensors = {}
    for k, v in state.items():
        change = (v.double() - start[k].double()).contiguous().flatten().numpy()
        step = max(1, len(change) // 10)
        tensors[k] = {"norm": float(np.linalg.norm(change)), "step": step,
                      "end": v.contiguous().flatten().numpy()[::step].astype(float).tolist()}
    result = {"model": model, "norm": kind, "input": shape, "dual": dual, "parts": parts, "seed": seed,
              "losses": [total / N], "tensors": tensors}
    return result, torch.cat([v.double().flatten() for v in state.values()])


if __name__ == "__main__":
    main(run, SEEDS, [  # the seeds are those of --search where rounding matters least
        (106, ("resnet9", "batch", [3, 28, 28], False, ["primary", "head"])),
        (105, ("resnet9", "batch", [3, 28, 28], True, ["primary", "head"])),
        (103, ("resnet9", "batch", [1, 28, 28], True, ["secondary"])),
        (101, ("resnet9", "group", [3, 32, 32], False, ["primary", "head"])),
        (101, ("resnet18", "batch", [1, 28, 28], False, ["primary", "head"])),
        (100, ("resnet18", "group", [3, 32, 32], True, ["secondary"])),
    ])
