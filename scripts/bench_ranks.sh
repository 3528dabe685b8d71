#!/usr/bin/env bash
# Times one run on several ranks against one process, side by side, and prints the medians of the ratios as a table.
#
#   scripts/bench_ranks.sh [FLAGS OF TRAIN...] > table.md
#
# A repeat runs both with the same seed, one after the other, in an order that alternates between repeats. A ratio is the time
# of the ranks divided by the time of the single process in the same repeat. The single process has as many workers as there
# are processors; the ranks divide the processors between them. Run it on a machine that does nothing else. Without flags, it
# runs FedDAG with 20 clients, once with the default clustering and once with the clustering of the paper.
#
#   PROGRAM   the program (./feddag)
#   RANKS     number of ranks (2)
#   REPEATS   number of repeats, each with its own seed (5)
#   KEEP      directory for the runs (default: a temporary directory, which is removed at the end)
#
# Memory with many clients, as in docs/scale.md:
#
#   REPEATS=1 scripts/bench_ranks.sh --clients 10000 --rounds 1 --rate 0.001 --final-post=false --feddag-clustering similarity
set -euo pipefail
PROGRAM=$(realpath "${PROGRAM:-$(dirname "${BASH_SOURCE[0]}")/../feddag}")
KEPT=${KEEP:-$(mktemp -d)}
if [[ -z ${KEEP:-} ]]; then
	trap 'rm -rf "$KEPT"' EXIT
fi
export PROGRAM KEPT RANKS="${RANKS:-2}" REPEATS="${REPEATS:-5}"

python3 - "$@" <<'PYTHON'
import json, os, socket, statistics, subprocess, sys, time

program, kept = os.environ["PROGRAM"], os.environ["KEPT"]
size, repeats = int(os.environ["RANKS"]), int(os.environ["REPEATS"])
usual = ["--clients", "20", "--rounds", "4", "--rate", "0.5", "--model", "lenet"]
cases = {" ".join(sys.argv[1:]): sys.argv[1:]} if sys.argv[1:] else {
    "clusters by tests": usual, "clusters by similarity": usual + ["--feddag-clustering", "similarity"]}
os.makedirs(kept, exist_ok=True)


def run(flags, ranks, seed, out):
    """Returns what a run on so many ranks took: seconds by stage, processor seconds of all ranks, and peak bytes of each rank."""
    base = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [program, "train", "--dataset", "fashion-mnist", "--device", "cpu", *flags, "--seed", str(seed), "--out", out, "--quiet"]
    began, started = time.time(), []
    for rank in range(ranks):
        env = dict(base)
        if ranks > 1:
            env.update(RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        log = open(f"{out}.{rank}.log", "w")
        started.append((subprocess.Popen(command, env=env, stdout=log, stderr=log).pid, log.name))
    cpu, peaks, bad = 0.0, [], None
    for pid, log in started:
        _, status, used = os.wait4(pid, 0)
        cpu, peaks = cpu + used.ru_utime + used.ru_stime, peaks + [used.ru_maxrss * 1024]
        bad = bad or (log if status else None)
    if bad:
        sys.exit(f"bench_ranks: {' '.join(command)} failed:\n{open(bad).read()[-2000:]}")
    with open(os.path.join(out, "summary.json")) as f:
        seconds = json.load(f)["seconds"]
    return {**seconds, "process": time.time() - began, "processors": cpu, "peaks": peaks}


def row(name, pairs, unit):
    ratios = sorted(b / a for a, b in pairs if a > 0)
    if ratios:
        one, many = (statistics.median(x) for x in zip(*pairs))
        print(f"| {name} | {unit(one)} | {unit(many)} | {statistics.median(ratios):.2f} | {ratios[0]:.2f} | {ratios[-1]:.2f} |")


for number, (name, flags) in enumerate(cases.items()):
    pairs = []
    for seed in range(1, repeats + 1):
        order = (1, size) if seed % 2 else (size, 1)
        done = {r: run(flags, r, seed, os.path.join(kept, f"case{number}-seed{seed}-ranks{r}")) for r in order}
        pairs.append((done[1], done[size]))
    print(f"\n{name}: {repeats} repeats, {os.cpu_count()} processors\n")
    print(f"| | one process | {size} ranks | median of the ratios | from | to |\n|---|---|---|---|---|---|")
    for stage, title in {"warmup": "warm-up", "clustering": "clustering", "rounds": "rounds", "total": "from set-up to report",
                         "processors": "processor time"}.items():
        row(title, [(a.get(stage, 0), b.get(stage, 0)) for a, b in pairs], lambda s: f"{s:.1f} s")
    for rank in range(size):
        row(f"peak memory, rank {rank}", [(a["peaks"][0], b["peaks"][rank]) for a, b in pairs], lambda b: f"{b / 1e6:.0f} MB")
PYTHON
