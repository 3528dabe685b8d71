"""Writes adam.json: ten steps of PyTorch's Adam and AdamW on the networks and jobs of parity_test.go.

Run with any PyTorch on the CPU:  python3 make_adam_fixtures.py > adam.json
"""
# Without an eps far above the rounding of small gradients, a step of Adam divides rounding by rounding, and no two programs agree.
import torch
from make_fixtures import SEEDS, main, run

OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.001, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.001, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.1),
}


def run_with(optimizer, name, dual, parts, seed, dtype):
    result, values = run(name, dual, parts, seed, dtype, OPTIMIZERS[optimizer])
    return result | {"optimizer": optimizer}, values


if __name__ == "__main__":
    # The seeds are those of --search where rounding matters least.
    main(run_with, SEEDS, [(seed, (optimizer, "lenet", dual, parts)) for seed, optimizer, dual, parts in (
        (101, "adam", False, ["primary", "head"]), (101, "adamw", False, ["primary", "head"]),
        (101, "adam", True, ["primary", "head"]), (104, "adamw", True, ["secondary"]))])
