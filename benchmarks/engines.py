#!/usr/bin/env python3
"""Compares the speed of local training in feddag's engines, PyTorch and JAX, on the same clients, batches and weights.

    python3 benchmarks/engines.py                                       # on the CPU: lenet and cnn
    python3 benchmarks/engines.py --device cuda --models lenet,cnn,resnet9
    python3 benchmarks/engines.py --models lenet --epochs 10 --contenders serial,memory    # a round of the paper's size

A turn is the local training of a round of FedDAG: both phases of every client of a cohort, and the mean over the
clients, without evaluation. Contenders keep running and take turns, in another order every time, so that other work on
the machine affects all of them. The first turn of each contender (compilation, capture, autotuning) is shown
separately. Ratios are medians over the repeats, with the lowest and the highest; both times of a ratio are from the
same repeat. After a turn, the mean weights and the loss of every contender are compared with those of the first one; a
difference is an error. Contenders that do not start are left out with a message. It is an error, after the others have run, if
--contenders names one of them.

    serial, batched, eager      ./feddag --engine
    memory, graphs, research    benchmarks/peers/local_torch.py, with --python's torch
    jax-vmap, jax-map           benchmarks/peers/local_jax.py

Writes engines.md and engines.json into --out. Needs numpy.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys

import numpy as np

from peers.states import read_safetensors

SAMPLES = {"lenet": 600, "cnn": 500, "resnet9": 500}  # samples per client, as in the paper's partitions
OURS = ["serial", "batched", "eager"]
HERE = os.path.dirname(os.path.abspath(__file__))


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")
    p.add_argument("--models", type=words, default=["lenet", "cnn"])
    p.add_argument("--contenders", type=words, help="the first is what the others are compared with (default: what the device has)")
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", default="fp32", choices=["fp32", "tf32"])
    p.add_argument("--clients", type=int, default=20)
    p.add_argument("--samples", type=int, help="samples per client (default: the paper's, 600 for lenet, else 500)")
    p.add_argument("--epochs", type=int, default=1, help="epochs per phase; the paper has 10, and time is linear in them")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--ragged", action="store_true", help="clients from 1 sample up")
    p.add_argument("--repeats", type=int, default=5)
    p.add_argument("--feddag", default="./feddag")
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--within", type=float, default=1e-3, help="allowed difference of mean weights, of the largest (%(default)s)")
    p.add_argument("--out", default="runs/engines")
    o = p.parse_args()
    o.named = o.contenders or []
    if not o.contenders:
        o.contenders = ["batched", "serial", "memory", "graphs", "jax-vmap", "jax-map", "research"] if o.device != "cpu" else \
            ["serial", "batched", "memory", "research", "jax-vmap", "jax-map"]
    return o


class Contender:
    def __init__(self, o, name, model, work):
        self.name, self.first, self.times = name, None, []
        size = ["--device", o.device, "--epochs", str(o.epochs), "--batch", str(o.batch), "--precision", o.precision, "--model", model]
        if name in OURS:
            command = [o.feddag, "bench", "--engine", name, *common(o, model), *size]
        elif name.startswith("jax-"):
            command = [o.python, f"{HERE}/peers/local_jax.py", "--how", name[4:], "--work", work, *size]
        else:
            command = [o.python, f"{HERE}/peers/local_torch.py", f"--how={name}", "--work", work, *size]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.process.stderr.read().strip().splitlines() or ["it ended"])[-1])
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def turn(self):
        t = self.ask("turn")
        if self.first is None:
            self.first = t["seconds"]
        else:
            self.times.append(t["seconds"])
        self.steps, self.loss = t["steps"], t["loss"]

    def close(self):
        self.process.stdin.close()
        self.said = self.process.stderr.read()  # at its end, the batched engine prints how it computed each convolution
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


def common(o, model):
    return ["--clients", str(o.clients), "--samples", str(o.samples or SAMPLES[model])] + (["--ragged"] if o.ragged else [])


def apart(a, b):
    """Returns the largest difference between two states, relative to the largest value; NaN if a state has one."""
    return float(np.max([abs(a[k] - b[k]).max() for k in a]) / np.max([abs(v).max() for v in a.values()]))


def bout(o, model):
    work = os.path.join(o.out, f"work-{model}")
    subprocess.run([o.feddag, "bench", "--write", work, "--model", model, "--epochs", str(o.epochs), "--batch", str(o.batch), *common(o, model)], check=True)
    contenders, left_out = [], {}
    for name in o.contenders:
        try:
            contenders.append(Contender(o, name, model, work))
            contenders[-1].turn()
        except (RuntimeError, OSError) as e:
            left_out[name] = str(e)
            print(f"{model}: {name} is left out: {e}", file=sys.stderr, flush=True)
            contenders = [c for c in contenders if c.name != name]
    if not contenders:
        sys.exit(f"{model}: nobody is left")
    states = {}
    for c in contenders:
        path = os.path.join(o.out, f"state-{model}-{c.name}.safetensors")
        c.ask(f"state {path}")
        states[c.name] = read_safetensors(path)
        os.remove(path)
    reference = contenders[0]
    rng = random.Random(1)
    for r in range(o.repeats):
        for c in rng.sample(contenders, len(contenders)):
            c.turn()
        print(f"{model}, repeat {r + 1}: " + ", ".join(f"{c.name} {c.times[-1]:.3f} s" for c in contenders), file=sys.stderr, flush=True)
    rows = []
    for c in contenders:
        c.close()
        ratios = [b / a for a, b in zip(reference.times, c.times)]
        rows.append({
            "model": model, "contender": c.name, **c.about, "first_seconds": c.first, "seconds": c.times,
            "median_seconds": statistics.median(c.times), "rounds_per_second": 1 / statistics.median(c.times),
            "client_steps_per_second": c.steps / statistics.median(c.times), "ratio": statistics.median(ratios),
            "ratio_low": min(ratios), "ratio_high": max(ratios), "loss": c.loss,
            "weights_apart": apart(states[reference.name], states[c.name]),
            "convolutions": c.said.splitlines() if c.name == "batched" else [],
        })
    work_files = [os.path.join(work, f) for f in os.listdir(work)]
    for f in work_files:
        os.remove(f)
    os.rmdir(work)
    return rows, left_out


def table(o, rows):
    lines = ["| model | contender | s per round | first turn, s | client-steps/s | times the first's time | loss | weights apart |",
             "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['model']} | {r['contender']} ({r['libtorch']}) | {r['median_seconds']:.3f} | {r['first_seconds']:.2f} | "
                     f"{r['client_steps_per_second']:.0f} | {r['ratio']:.2f} ({r['ratio_low']:.2f}-{r['ratio_high']:.2f}) | "
                     f"{r['loss']:.5f} | {r['weights_apart']:.1e} |")
    return "\n".join(lines)


def cpu_name():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown CPU"


def main():
    o = options()
    os.makedirs(o.out, exist_ok=True)
    rows, left_out = [], {}
    for model in o.models:
        found, gone = bout(o, model)
        rows += found
        left_out[model] = gone
    device = rows[0]["device_name"] if o.device != "cpu" else f"{cpu_name()}, {len(os.sched_getaffinity(0))} cores"
    head = (f"{device}; {o.precision}; {o.clients} clients{' of 1 sample up' if o.ragged else ''}, {o.epochs} epochs per phase, batches of {o.batch}; "
            f"{o.repeats} repeats, medians; times the first's: median of ratios within a repeat (lowest-highest)\n\n")
    text = head + table(o, rows)
    for r in rows:
        if r["convolutions"]:
            text += f"\n\nConvolutions of {r['model']} in the batched engine:\n\n" + "\n".join(f"- {line}" for line in r["convolutions"])
    print(text)
    with open(os.path.join(o.out, "engines.md"), "w") as f:
        f.write(text + "\n")
    with open(os.path.join(o.out, "engines.json"), "w") as f:
        json.dump({"device": device, "options": vars(o), "rows": rows, "left_out": left_out}, f, indent=1)
    off = [f"{r['model']} {r['contender']}" for r in rows if not r["weights_apart"] <= o.within]
    if off:
        sys.exit(f"not the same training: {', '.join(off)}")
    gone = [f"{model} {name}: {left_out[model][name]}" for model in left_out for name in o.named if name in left_out[model]]
    if gone:
        sys.exit(f"did not run: {'; '.join(gone)}")


if __name__ == "__main__":
    main()
