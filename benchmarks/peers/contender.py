"""The common part of all contenders of benchmarks/engines.py except ./feddag bench: flags, and one turn per line of input."""
import argparse
import json
import sys
import time

from states import write_safetensors

PHASES = [("primary", "head"), ("secondary",)]  # parts that each phase trains


def options(doc, hows, models):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", required=True)
    p.add_argument("--how", choices=hows, default=hows[0])
    p.add_argument("--model", choices=models, default=models[0])
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", choices=["fp32", "tf32"], default="fp32")
    p.add_argument("--epochs", type=int, default=1)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=0.01)
    return p.parse_args()


def serve(about, steps, turn, host):
    """Says what it is, then answers every line. turn() does the work, waits for it, and returns the state and the loss;
    host turns one of the state's arrays into numpy's."""
    print(json.dumps(about), flush=True)
    state = None
    for line in sys.stdin:
        if line.startswith("state "):
            write_safetensors(line[6:].strip(), {name: host(t) for name, t in state.items()})
            print("{}", flush=True)
            continue
        began = time.perf_counter()
        state, loss = turn()
        print(json.dumps({"seconds": time.perf_counter() - began, "steps": steps, "loss": loss}), flush=True)
