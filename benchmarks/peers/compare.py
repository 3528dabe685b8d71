#!/usr/bin/env python3
"""Compares two accuracy curves: of a run of feddag and of its peer (or of any two folders with a metrics.jsonl). A run
may be in an archive: benchmarks/results/fmnist/I-30-1.zip/feddag-1.

    python3 benchmarks/peers/compare.py RUN PEER [--after 5] [--every 5] [--within 1.5]

Rounds count from 1. `pre` is over all clients, before local training; `post` over the round's cohort, after it; both
mean balanced accuracy in percent. The accuracy of a single round varies by a point or two with the shuffles, so the
table also has the mean of each group of rounds. With --within, the exit code is 1 if the means over all rounds after
--after differ by more than that. Needs no packages.
"""
import argparse
import json
import os
import sys
import zipfile


def metrics(folder):
    """The lines of the folder's metrics.jsonl; the folder may be ARCHIVE.zip/RUN."""
    archive, run = os.path.split(folder.rstrip("/"))
    if archive.endswith(".zip") and os.path.isfile(archive):
        with zipfile.ZipFile(archive) as z:
            return z.read(f"{run}/metrics.jsonl").decode().splitlines(keepends=True)
    with open(f"{folder}/metrics.jsonl") as f:
        return list(f)


def curve(folder):
    lines = [json.loads(line) for line in metrics(folder) if line.endswith("\n")]
    # Lines without a version count the rounds from 0.
    return {r["round"] + (r.get("version", 1) < 2): r for r in lines}


def value(r, kind):
    return r[kind]["balanced_accuracy"]["mean"]


def mean(v):
    return sum(v) / len(v)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run")
    p.add_argument("peer")
    p.add_argument("--after", type=int, default=5, help="rounds left out of the differences (%(default)s)")
    p.add_argument("--every", type=int, default=5, help="rounds of a stretch (%(default)s)")
    p.add_argument("--within", type=float, help="points that are allowed between the means")
    o = p.parse_args()
    ours, peers = curve(o.run), curve(o.peer)
    rounds = sorted(set(ours) & set(peers))
    rounds = [t for t in rounds if value(ours[t], "pre") is not None]
    if not rounds:
        sys.exit("no round in common")
    same = sum(ours[t]["clients"] == peers[t]["clients"] for t in rounds)
    print(f"{len(rounds)} rounds in common, {same} of them with the same cohort\n")

    print("| rounds | pre, run | pre, peer | difference | at the last: run | peer | difference | post, run | post, peer | difference |")
    print("|---|" + "---|" * 9)
    for first in range(1, rounds[-1] + 1, o.every):
        part = [t for t in rounds if first <= t < first + o.every]
        if not part:
            continue
        cells = []
        for kind, stretch in (("pre", part), ("pre", part[-1:]), ("cohort_post", part)):
            a, b = (mean([value(c[t], kind) for t in stretch]) for c in (ours, peers))
            cells += [f"{a:.2f}", f"{b:.2f}", f"{a - b:+.2f}"]
        print(f"| {part[0]}-{part[-1]} | " + " | ".join(cells) + " |")

    after = [t for t in rounds if t > o.after]
    if not after:
        print(f"\nno round after {o.after}")
        return
    far = False
    print(f"\nRounds {after[0]} to {after[-1]}:")
    for kind, what in (("pre", "all clients, before local training"), ("cohort_post", "cohort, after local training")):
        d = {t: value(ours[t], kind) - value(peers[t], kind) for t in after}
        worst = max(d, key=lambda t: abs(d[t]))
        print(f"- {what}: mean difference {mean(list(d.values())):+.2f}, mean absolute difference of a round "
              f"{mean([abs(x) for x in d.values()]):.2f}, largest {abs(d[worst]):.2f} (round {worst}) points")
        far |= o.within is not None and abs(mean(list(d.values()))) > o.within
    if far:
        sys.exit(f"the means are more than {o.within} points apart")


if __name__ == "__main__":
    main()
