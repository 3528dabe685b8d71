#!/usr/bin/env python3
"""The work of `./feddag bench --write DIR` in PyTorch: a contender of benchmarks/engines.py, one turn for every line "turn".

    --how memory    images in memory, one eager step after another. On the CPU it has one process with one thread per
                    core, which is faster than one process with all cores; on a GPU it has one process.
    --how graphs    only on a GPU: the step of a client is recorded in a CUDA graph and replayed, one client after another
    --how research  like research code: a Dataset of PIL images with transforms per sample, a DataLoader, a deep copy of the
                    model per client, and an .item() per step; it has one thread, because torch's two are slower on a busy
                    machine

Both phases start from the same weights and have every client: first the primary encoder and the head with the secondary
encoder frozen, then the secondary encoder alone. At the end the mean over the clients is computed. Needs torch and numpy; research needs pillow.
"""
import copy
import os
import sys

if "cpu" in sys.argv:
    os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from contender import PHASES, options, serve
from encoders import ENCODERS
from states import read_safetensors


class Model(nn.Module):
    def __init__(self, name, state):
        super().__init__()
        self.primary, self.secondary = ENCODERS[name](), ENCODERS[name]()
        self.head = nn.Linear(*reversed(state["head.weight"].shape))
        self.load_state_dict(state)

    def forward(self, x):
        return self.head(torch.cat([self.primary(x), self.secondary(x)], 1))


# ---- the work -------------------------------------------------------------------------------------------------------

class Work:
    def __init__(self, o):
        load = lambda name: np.load(f"{o.work}/{name}.npy")
        self.o, self.raw, self.device = o, load("images"), torch.device(o.device)
        self.start = {k: torch.from_numpy(v).to(self.device) for k, v in read_safetensors(f"{o.work}/start.safetensors").items()}
        self.images = ((torch.from_numpy(self.raw).to(self.device).float() / 255 - 0.3) / 0.3)
        self.labels = torch.from_numpy(load("labels").astype(np.int64)).to(self.device)
        sizes, order = load("sizes"), load("order")
        self.clients, first, at = [], 0, 0
        for n in sizes.tolist():
            epochs = torch.from_numpy(order[at:at + n * o.epochs].reshape(o.epochs, n).astype(np.int64)) + first
            self.clients.append(epochs.to(self.device))
            first, at = first + n, at + n * o.epochs
        self.steps = 2 * sum(o.epochs * -(-n // o.batch) for n in sizes.tolist())

    def model(self, parts):
        m = Model(self.o.model, self.start).to(self.device)
        for name, p in m.named_parameters():
            p.requires_grad_(name.split(".")[0] in parts)
        return m

    def optimizer(self, m):
        return torch.optim.SGD([p for p in m.parameters() if p.requires_grad], lr=self.o.lr, momentum=0.5, weight_decay=1e-4)


WORK = None


def trained(m, parts):
    return {k: v.detach().clone() for k, v in m.state_dict().items() if k.split(".")[0] in parts}


def in_memory(task):
    parts, c = task
    m = WORK.model(parts)
    optimizer = WORK.optimizer(m)
    for order in WORK.clients[c]:
        total = torch.zeros((), device=WORK.device)
        for batch in order.split(WORK.o.batch):
            loss = F.cross_entropy(m(WORK.images[batch]), WORK.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
    loss = (total / len(order)).item()
    return {k: v.cpu().numpy() for k, v in trained(m, parts).items()} if WORK.device.type == "cpu" else trained(m, parts), loss


class Graphs:
    """One recorded step for each batch size; weights, momentum and batch stay at the addresses of the recording."""

    def __init__(self, parts):
        self.parts, self.m = parts, WORK.model(parts)
        self.params = [p for p in self.m.parameters() if p.requires_grad]
        self.momentum = [torch.zeros_like(p) for p in self.params]
        self.total = torch.zeros((), device=WORK.device)
        self.graphs = {}

    def step(self, index):
        loss = F.cross_entropy(self.m(WORK.images[index]), WORK.labels[index])
        grads = torch.autograd.grad(loss, self.params)
        with torch.no_grad():
            grads = torch._foreach_add(list(grads), self.params, alpha=1e-4)
            torch._foreach_mul_(self.momentum, 0.5)
            torch._foreach_add_(self.momentum, grads)
            torch._foreach_add_(self.params, self.momentum, alpha=-WORK.o.lr)
            self.total += loss.detach() * len(index)

    def graph(self, n):
        if n not in self.graphs:
            index = torch.zeros(n, dtype=torch.int64, device=WORK.device)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.step(index)
            torch.cuda.current_stream().wait_stream(side)
            g = torch.cuda.CUDAGraph()
            with torch.cuda.graph(g):
                self.step(index)
            self.graphs[n] = index, g
        return self.graphs[n]

    def train(self, c):
        for n in {len(b) for b in WORK.clients[c][0].split(WORK.o.batch)}:
            self.graph(n)
        with torch.no_grad():
            for name, p in self.m.named_parameters():
                if p.requires_grad:
                    p.copy_(WORK.start[name])
            torch._foreach_zero_(self.momentum)
        for order in WORK.clients[c]:
            self.total.zero_()
            for batch in order.split(WORK.o.batch):
                index, g = self.graph(len(batch))
                index.copy_(batch)
                g.replay()
        return trained(self.m, self.parts), self.total / len(order)


def research(parts, c, template):
    from PIL import Image

    class Samples(torch.utils.data.Dataset):
        def __init__(self, order):
            self.order = order.tolist()

        def __len__(self):
            return len(self.order)

        def __getitem__(self, i):
            x = WORK.raw[self.order[i]]
            image = Image.fromarray(x[0] if x.shape[0] == 1 else x.transpose(1, 2, 0))
            x = torch.from_numpy(np.array(image)).reshape(x.shape[1], x.shape[2], -1).permute(2, 0, 1).float().div(255)  # ToTensor
            return x.sub(0.3).div(0.3), int(WORK.labels[self.order[i]])  # Normalize

    m = copy.deepcopy(template)
    for name, p in m.named_parameters():
        p.requires_grad_(name.split(".")[0] in parts)
    optimizer = WORK.optimizer(m)
    for order in WORK.clients[c].cpu():
        total = 0.0
        for x, y in torch.utils.data.DataLoader(Samples(order), batch_size=WORK.o.batch):
            x, y = x.to(WORK.device), y.to(WORK.device)
            loss = F.cross_entropy(m(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
    return copy.deepcopy({k: v for k, v in m.state_dict().items() if k.split(".")[0] in parts}), total / len(order)


def turns(o, run):
    name = torch.cuda.get_device_name(WORK.device) if WORK.device.type == "cuda" else "cpu"

    def turn():
        state = dict(WORK.start)
        for parts in PHASES:
            ended = run(parts)
            for k in ended[0][0]:
                mean = sum(torch.as_tensor(e[0][k]).double() for e in ended) / len(ended)
                state[k] = mean.float()
            loss = sum(float(e[1]) for e in ended) / len(ended)
        if WORK.device.type == "cuda":
            torch.cuda.synchronize()
        return state, loss

    about = {"engine": f"PyTorch {o.how}", "device": o.device, "device_name": name, "precision": o.precision, "libtorch": torch.__version__}
    serve(about, WORK.steps, turn, lambda t: t.detach().cpu().numpy())


def main():
    global WORK
    o = options(__doc__, ["memory", "graphs", "research"], list(ENCODERS))
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = o.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    WORK = Work(o)
    every = range(len(WORK.clients))
    if o.how == "research":
        torch.set_num_threads(1)
        turns(o, lambda parts: [research(parts, c, t) for t in [WORK.model(("primary", "secondary", "head"))] for c in every])
    elif o.how == "graphs":
        if WORK.device.type != "cuda":
            sys.exit("--how graphs needs a GPU")
        ready = {parts: Graphs(parts) for parts in PHASES}
        turns(o, lambda parts: [ready[parts].train(c) for c in every])
    elif WORK.device.type == "cuda":
        turns(o, lambda parts: [in_memory((parts, c)) for c in every])
    else:
        import multiprocessing
        torch.set_num_threads(1)
        with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
            turns(o, lambda parts: pool.map(in_memory, [(parts, c) for c in every], chunksize=1))


if __name__ == "__main__":
    main()
