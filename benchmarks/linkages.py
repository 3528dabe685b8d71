#!/usr/bin/env python3
"""Compares the linkages, spectral clustering and the choice rules on full sketches (warm-up updates and principal
vectors) for several kinds of partition of Fashion-MNIST, for the table of docs/similarity.md.

    make build
    python3 benchmarks/linkages.py                          # 100 clients, 11 kinds, 2 seeds: 22 warm-ups, over an hour
    python3 benchmarks/linkages.py --folder build/linkages  # again from existing sketches: a minute

For each kind and seed, `feddag cluster --feddag-clustering similarity --save-sketches` writes the sketches if they do
not exist, and `feddag cluster --sketches --compare` clusters them in every way. Prints the number of clusters and, if
there are true groups, the adjusted Rand index and the purity, each as a mean over the seeds. Needs no packages.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

# The flags of each partition, by name. The last four have no true groups.
KINDS = {
    "I3c1": "--partition label-skew --labels-per-group 3 --concentration 1",
    "I2c025": "--partition label-skew --labels-per-group 2 --concentration 0.25",
    "V": "--partition pairs --concentration 1",
    "IIc100": "--partition concept-shift --concentration 100",
    "IIc1": "--partition concept-shift --concentration 1",
    "IIc025": "--partition concept-shift --concentration 0.25",
    "IV": "--partition feature-skew --concentration 1",
    "IIIc1": "--partition lda --concentration 1",
    "IIIc025": "--partition lda --concentration 0.25",
    "IIIc01": "--partition lda --concentration 0.1",
    "IID": "--partition iid",
}


def feddag(program, flags, out):
    """Runs feddag cluster with a temporary output folder, and returns its clusters.json."""
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run([program, "cluster", "--quiet", "--out", out, *flags], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} cluster {' '.join(flags)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    with open(os.path.join(out, "clusters.json")) as f:
        found = json.load(f)
    shutil.rmtree(out)
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--folder", default="build/linkages", help="folder of the sketches, KIND-SEED.npz")
    p.add_argument("--feddag", default="./feddag")
    p.add_argument("--seeds", default="11,12")
    p.add_argument("--kinds", default=",".join(KINDS))
    p.add_argument("--rules", default="silhouette", help="choice rules to show, as silhouette,bend,ratio,eigengap,loss")
    o = p.parse_args()
    os.makedirs(o.folder, exist_ok=True)
    kinds, seeds, rules = o.kinds.split(","), o.seeds.split(","), o.rules.split(",")
    scratch = os.path.join(o.folder, f"scratch-{os.getpid()}")
    table, ways = {}, []
    for kind in kinds:
        for seed in seeds:
            sketches = os.path.join(o.folder, f"{kind}-{seed}.npz")
            if not os.path.exists(sketches):
                print(f"making {sketches}", file=sys.stderr, flush=True)
                feddag(o.feddag, ["--feddag-clustering", "similarity", "--dataset", "fashion-mnist", *KINDS[kind].split(), "--seed", seed, "--save-sketches", sketches], scratch)
            for row in feddag(o.feddag, ["--sketches", sketches, "--seed", seed, "--compare"], scratch)["comparison"]:
                way = (row["choose"], row["method"])
                if row["choose"] in rules:
                    if way not in ways:
                        ways.append(way)
                    table.setdefault((way, kind), []).append(row)
    ways.sort(key=lambda way: rules.index(way[0]))
    print("clusters; adjusted Rand index; purity: means over seeds", o.seeds)
    print("| choose | method |", " | ".join(kinds), "|\n|---|---|" + "---|" * len(kinds))
    for way in ways:
        cells = []
        for kind in kinds:
            rows = table[way, kind]
            cell = f"{statistics.mean(r['count'] for r in rows):g}"
            if rows[0]["adjusted_rand_index"] is not None:
                cell += "".join(f"; {statistics.mean(r[key] for r in rows):.2f}" for key in ("adjusted_rand_index", "purity"))
            cells.append(cell)
        print(f"| {way[0]} | {way[1]} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
