#!/bin/bash
# One run on several GPUs, of one node or of several, as a Slurm job: srun starts a process per GPU, and the processes do the
# run together (docs/scale.md). For many independent runs slurm_array.sh is faster.
#
#   sbatch scripts/cluster/slurm_ranks.sh
#
# Submit the same job again to continue the run in OUT. Only the first task writes OUT. ARGS are the flags of the run.
#SBATCH --job-name=feddag
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --signal=USR1@120
set -euo pipefail

FEDDAG=${FEDDAG:-./feddag}
OUT=${OUT:-runs/together}
ARGS=${ARGS:---algorithm feddag --seed 11 --rounds 100}

# The tasks find rank 0 by Slurm's list of nodes and use a port that depends on the number of the job. MASTER_ADDR and
# MASTER_PORT override both. Two minutes before the time limit, Slurm signals the tasks, which write a checkpoint and end. A
# task that fails ends the others.
# shellcheck disable=SC2086 # ARGS are several words
exec srun --kill-on-bad-exit=1 "$FEDDAG" train --out "$OUT" $ARGS "$@"
