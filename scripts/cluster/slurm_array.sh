#!/bin/bash
# One comparison as a Slurm array: every task does its share of the runs (see feddag compare --help, --shard). Submit the
# array, followed by a job that makes the tables:
#
#   job=$(sbatch --parsable scripts/cluster/slurm_array.sh)
#   sbatch --dependency="afterany:$job" --wrap "./feddag compare --read runs/sweep"
#
# OUT is a directory that all nodes share. ARGS are the flags of the comparison.
#SBATCH --job-name=feddag
#SBATCH --array=0-3
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@120
set -euo pipefail

FEDDAG=${FEDDAG:-./feddag}
OUT=${OUT:-runs/sweep}
ARGS=${ARGS:---algorithms feddag,feddag-star,ifca,fedavg --seeds 11,12,13 --rounds 100}

# Slurm signals this shell two minutes before the time limit. The comparison then writes a checkpoint and ends. Submit the
# same array again to continue.
"$FEDDAG" compare --out "$OUT" $ARGS "$@" &
worker=$!
trap 'kill -USR1 "$worker"' USR1
code=0
wait "$worker" || code=$?
if kill -0 "$worker" 2>/dev/null; then # wait was ended by the signal, not by the worker
    code=0
    wait "$worker" || code=$?
fi
exit "$code"
