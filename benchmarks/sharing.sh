#!/usr/bin/env bash
# Does it help FedDAG that clusters learn from one another? Variants of the sharing beside FedDAG*, which shares nothing,
# where clusters are poor in data: label skew on Fashion-MNIST, five percent of each client's samples, five clusters asked
# for. docs/feddag.md has the tables.
#
#   benchmarks/sharing.sh
#   SEEDS=1 ROUNDS=10 SHARE=1 OUT=runs/sharing-full benchmarks/sharing.sh --partition concept-shift --feddag-choose count:3
#
# Arguments go to every run. What is finished stays, the same command again continues. FEDDAG is the program (./feddag).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
global='--feddag-secondary-init global --feddag-own-source --feddag-top-k 4'
exec "${FEDDAG:-./feddag}" compare --algorithms feddag-star,feddag,feddag-dagger --reference feddag-star \
	--with "feddag as random head: --feddag-head-init random" \
	--with "feddag as random head, sum: --feddag-head-init random --feddag-sources sum" \
	--with "feddag as secondary first: --feddag-order secondary-first" \
	--with "feddag as head epochs: --feddag-head-epochs 2" \
	--with "feddag as weighted by H: --feddag-sources weighted" \
	--with "feddag as half step: --feddag-server-rate 0.5" \
	--with "feddag as global start, all sources: $global" \
	--with "feddag as global start, all sources, secondary first: $global --feddag-order secondary-first" \
	--with "feddag as global start, all sources, secondary first, head on both: $global --feddag-order secondary-first --feddag-head-init both" \
	--seeds "${SEEDS:-1,2,3}" --rounds "${ROUNDS:-30}" --train-share "${SHARE:-0.05}" --feddag-choose count:5 \
	--eval-every 2 --out "${OUT:-runs/sharing}" "$@"
