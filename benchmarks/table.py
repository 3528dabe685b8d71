#!/usr/bin/env python3
"""Tables, in Markdown, of the runs that benchmarks/spine.sh left: python3 benchmarks/table.py [FOLDER] (runs/spine).

Every accuracy is the mean over clients of balanced accuracy in percent. `pre` is over all clients, before local
training; `post` after local training, over the clients that the column names. No packages needed.
"""
import json
import os
import re
import statistics
import sys

ORDER = ["feddag", "feddag-star", "feddag-dagger", "fedavg"]
NAMES = {"feddag": "FedDAG", "feddag-star": "FedDAG\\*", "feddag-dagger": "FedDAG†", "fedavg": "FedAvg"}


def read(folder):
    """{(algorithm, seed): (summary, rounds)} of the finished cells."""
    cells = {}
    for name in sorted(os.listdir(folder)):
        m = re.fullmatch(r"(.+)-(\d+)", name)
        if not m or not os.path.exists(f"{folder}/{name}/summary.json"):
            continue
        with open(f"{folder}/{name}/summary.json") as f:
            summary = json.load(f)
        with open(f"{folder}/{name}/metrics.jsonl") as f:
            rounds = [json.loads(line) for line in f]
        cells[summary["algorithm"], summary["seed"]] = summary, rounds
    return cells


def of(score):
    return score["balanced_accuracy"]["mean"]


def show(x, digits=2):
    return "-" if x is None else f"{x:,.{digits}f}"


def spread(values, digits=2):
    """mean ± sample standard deviation."""
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    if len(values) == 1:
        return show(values[0], digits)
    return f"{show(statistics.mean(values), digits)} ± {show(statistics.stdev(values), digits)}"


COLUMNS = [  # title, value of a summary, digits
    ("clusters", lambda s: s["clusters"], 0),
    ("ARI", lambda s: s.get("adjusted_rand_index"), 3),
    ("final pre", lambda s: of(s["final"]["pre"]), 2),
    ("final post, all clients", lambda s: of(s["final"]["post"]) if s["final"]["post_over"] == "all" else None, 2),
    ("best pre", lambda s: of(s["best"]["pre"]), 2),
    ("last-10 pre", lambda s: of(s["last10"]["pre"]), 2),
    ("last-10 post, cohort", lambda s: of(s["last10"]["post"]), 2),
    ("swing", lambda s: s["swing"], 2),
    ("s/round", lambda s: s["seconds_per_round"], 1),
    ("samples/s", lambda s: s["samples_per_second"], 0),
]


def row(cells):
    print("| " + " | ".join(cells) + " |")


def header(cells):
    row(cells)
    print("|" + "---|" * len(cells))


def results(cells, algorithms):
    print("Swing: standard deviation of pre over the last 10 rounds. s/round: median, evaluation of all clients included.")
    print("Over seeds: mean ± sample standard deviation.\n")
    header(["algorithm", "seed", "rounds"] + [c[0] for c in COLUMNS])
    for a in algorithms:
        mine = [(seed, s) for (b, seed), (s, _) in sorted(cells.items()) if b == a]
        for seed, s in mine:
            row([NAMES.get(a, a), str(seed), str(s["rounds"])] + [show(get(s), digits) for _, get, digits in COLUMNS])
        if len(mine) > 1:
            row([f"**{NAMES.get(a, a)}**", "all", ""] + [spread([get(s) for _, s in mine], digits) for _, get, digits in COLUMNS])


def paired(cells, one, other):
    seeds = sorted(seed for a, seed in cells if a == one and (other, seed) in cells)
    if not seeds:
        return
    print(f"\n{NAMES[one]} − {NAMES[other]}, points, same seed:\n")
    kept = [c for c in COLUMNS if c[0].startswith(("final", "best", "last"))]
    header(["seed"] + [c[0] for c in kept])
    differences = []
    for seed in seeds:
        pairs = [(get(cells[one, seed][0]), get(cells[other, seed][0])) for _, get, _ in kept]
        differences.append([None if None in p else p[0] - p[1] for p in pairs])
        row([str(seed)] + ["-" if d is None else f"{d:+.2f}" for d in differences[-1]])
    if len(seeds) > 1:
        row(["all"] + [spread(column) for column in zip(*differences)])


def curves(cells, algorithms, kind, title):
    last = max(r["round"] + 1 for _, rounds in cells.values() for r in rounds)
    at = sorted({*range(5, last + 1, 5), last})
    print(f"\n{title}, after round:\n")
    header(["algorithm", "seed"] + [str(t) for t in at])
    for a in algorithms:
        mine = []
        for (b, seed), (_, rounds) in sorted(cells.items()):
            if b == a:
                by_round = {r["round"] + 1: of(r[kind]) for r in rounds}
                mine.append([by_round.get(t) for t in at])
                row([NAMES.get(a, a), str(seed)] + [show(v) for v in mine[-1]])
        if len(mine) > 1:
            row([f"**{NAMES.get(a, a)}**", "all"] + [spread(column) for column in zip(*mine)])


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "runs/spine"
    cells = read(folder)
    if not cells:
        sys.exit(f"no finished run in {folder}")
    algorithms = sorted({a for a, _ in cells}, key=lambda a: (ORDER.index(a) if a in ORDER else len(ORDER), a))
    results(cells, algorithms)
    paired(cells, "feddag", "feddag-star")
    curves(cells, algorithms, "pre", "Pre, all clients")
    curves(cells, algorithms, "cohort_post", "Post, the round's cohort (other clients each round)")


if __name__ == "__main__":
    main()
