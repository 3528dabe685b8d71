#!/bin/bash
# One comparison by several processes on this machine, one per GPU, with GNU parallel. Each process takes runs that no other
# process is doing. Usage: scripts/cluster/parallel.sh GPUS OUT FLAGS, for example
#
#   scripts/cluster/parallel.sh 4 runs/sweep --algorithms feddag,ifca --seeds 11,12,13 --rounds 100
#
# With 0 GPUs two processes share the CPU.
set -euo pipefail

FEDDAG=${FEDDAG:-./feddag}
gpus=$1 out=$2
shift 2
arguments=1 device=(--device 'cuda:{}')
if ((gpus == 0)); then
    gpus=2 arguments=0 device=(--device cpu --workers "$((($(nproc) + 1) / 2))")
fi
parallel --line-buffer --jobs "$gpus" --max-args "$arguments" "$FEDDAG" compare --out "$out" "${device[@]}" --wait "$@" ::: $(seq 0 $((gpus - 1)))
"$FEDDAG" compare --read "$out"
