#!/usr/bin/env python3
"""Finds the clusters of 100 clients with FedDAG's tests, with the paper's similarity and the defaults of the program,
and with the similarity exactly as in the paper, and prints the table of docs/clustering.md that compares them:

    benchmarks/clusterings.py --data-dir cifar10-jpeg=DIR --out benchmarks/results/groups/clusterings.tsv
    benchmarks/clusterings.py --out benchmarks/results/groups/clusterings.tsv --table

Each line of the output file is one run of `feddag cluster`. A run that is in the file is not repeated. The similarity needs a
warm-up, in which every client trains alone; the tests need none.
"""
import argparse, json, os, subprocess, sys, tempfile

SETS = {"fashion-mnist": "Fashion-MNIST", "cifar10-jpeg": "CIFAR-10"}
PARTITIONS = {
    "I, 3 labels": ["label-skew"],
    "II, concentration 1": ["concept-shift"],
    "IV, five corruptions": ["feature-skew", "--partition-option", "corruptions=clean,gaussian_noise,contrast,pixelate,fog"],
    "V, 11 pairs": ["pairs"],
}
RULES = {
    "tests": ["--feddag-clustering", "test"],
    "similarity": ["--feddag-clustering", "similarity", "--model", "lenet"],
    "paper": ["--preset", "paper", "--model", "lenet"],
}
COLUMNS = ["set", "partition", "rule", "seed", "clusters", "ari", "warm-up seconds", "seconds", "bytes"]


def cluster(feddag, data_dirs, name, partition, rule, seed):
    """Runs one clustering and returns its line of the output file."""
    with tempfile.TemporaryDirectory() as out:
        command = [feddag, "cluster", "--dataset", name, "--partition", *PARTITIONS[partition], *RULES[rule],
                   "--seed", str(seed), "--quiet", "--out", out]
        if name in data_dirs:
            command += ["--data-dir", data_dirs[name]]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"clusterings: {' '.join(command)} failed: {done.stderr[-2000:]}")
        with open(os.path.join(out, "summary.json")) as f:
            s = json.load(f)
    seconds = s["seconds"]
    return [name, partition, rule, str(seed), str(s["clusters"]), f"{s['adjusted_rand_index']:.6f}", f"{seconds.get('warmup', 0):.1f}",
            f"{seconds['total']:.1f}", str(s["bytes_up"] + s.get("bytes_down", 0))]


def table(lines):
    """Prints mean and worst adjusted Rand index of the seeds, and the numbers of clusters."""
    found = {}
    for name, partition, rule, _, clusters, ari, *_ in lines:
        found.setdefault((name, partition, rule), []).append((float(ari), int(clusters)))
    columns = [(name, rule) for name in SETS for rule in RULES if any(key[0] == name and key[2] == rule for key in found)]
    print("| | " + " | ".join(f"{SETS[name]}, {rule}" for name, rule in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for partition in PARTITIONS:
        cells = []
        for name, rule in columns:
            runs = found.get((name, partition, rule), [])
            aris, counts = [a for a, _ in runs], sorted({c for _, c in runs})
            cells.append(f"{sum(aris) / len(aris):.3f} / {min(aris):.3f}; {counts[0]}" + (f"-{counts[-1]}" if len(counts) > 1 else "") if runs else "")
        print(f"| {partition} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feddag", default=os.path.join(os.path.dirname(__file__), "..", "feddag"), help="the program")
    parser.add_argument("--sets", default=",".join(SETS), help="data sets")
    parser.add_argument("--seeds", default="101,102,103", help="seeds of partition and warm-up")
    parser.add_argument("--data-dir", default="", help="SET=FOLDER,..., where the data sets are")
    parser.add_argument("--out", default="clusterings.tsv", help="file of the results, one line per run")
    parser.add_argument("--table", action="store_true", help="print the table of the results in --out, and run nothing")
    args = parser.parse_args()
    lines = []
    if os.path.exists(args.out):
        with open(args.out) as f:
            lines = [line.rstrip("\n").split("\t") for line in f][1:]
    if not args.table:
        data_dirs = dict(pair.split("=", 1) for pair in args.data_dir.split(",") if pair)
        done = {tuple(line[:4]) for line in lines}
        if not lines:
            with open(args.out, "w") as f:
                f.write("\t".join(COLUMNS) + "\n")
        for seed in args.seeds.split(","):
            for name in args.sets.split(","):
                for partition in PARTITIONS:
                    for rule in RULES:
                        if (name, partition, rule, seed) in done:
                            continue
                        lines.append(cluster(args.feddag, data_dirs, name, partition, rule, seed))
                        with open(args.out, "a") as f:
                            f.write("\t".join(lines[-1]) + "\n")
                        print("  ".join(lines[-1]), file=sys.stderr)
    table(lines)


if __name__ == "__main__":
    main()
