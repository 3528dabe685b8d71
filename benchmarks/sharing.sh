#!/usr/bin/env bash
# What does FedDAG's second encoder bring, and what does sharing between clusters? Variants beside FedDAG*, which has one
# encoder and shares nothing, on five percent of Fashion-MNIST, where clusters are poor in data: label skew (I, five
# clusters asked for) and concept shift (II, three), 100 clients, 20 a round. docs/feddag.md has the tables.
#
#   benchmarks/sharing.sh
#   SETTINGS=II SEEDS=1 ROUNDS=10 SHARE=0.2 OUT=runs/sharing-20 benchmarks/sharing.sh --batch 64
#
# Arguments go to every run. What is finished stays, the same command again continues. KEEP, a directory, also gets the
# small files of the finished runs. FEDDAG is the program (./feddag).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
full='--feddag-secondary-head full --feddag-secondary-init random --feddag-own-source=false --feddag-order parallel'

of() { # NAME FLAGS...
	local keep=()
	[[ " ${SETTINGS:-I II} " == *" $1 "* ]] || return 0
	[[ -z ${KEEP:-} ]] || keep=(--keep "$KEEP/$1")
	echo "==== $1" >&2
	"${FEDDAG:-./feddag}" compare --algorithms feddag-star,feddag,feddag-dagger --reference feddag-star \
		--with "feddag as full head: $full" \
		--with "feddag as others only: --feddag-own-source=false" \
		--with "feddag-dagger as nothing shared: --feddag-secondary-init random" \
		--seeds "${SEEDS:-1,2,3}" --rounds "${ROUNDS:-30}" --train-share "${SHARE:-0.05}" --batch 10 --eval-every 2 \
		--dataset fashion-mnist --out "${OUT:-runs/sharing}/$1" "${keep[@]}" "${@:2}"
}

of I --partition label-skew --feddag-choose count:5 "$@"
of II --partition concept-shift --feddag-choose count:3 "$@"
