#!/usr/bin/env bash
# Measures the benefit of FedDAG's second encoder and of sharing between clusters. Compares variants with FedDAG*, which has
# one encoder and shares nothing, on five percent of Fashion-MNIST, where clusters have little data: label skew (I, with five
# clusters) and concept shift (II, with three), 100 clients, 20 per round, 30 rounds. docs/feddag.md has the tables.
#
#   benchmarks/sharing.sh
#   SETTINGS=II SEEDS=1 ROUNDS=10 OUT=runs/sharing-20 benchmarks/sharing.sh --train-share 0.2 --batch 64
#
# campaign.sh describes the other settings, and how to continue; ALGORITHMS has no effect here.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"
algorithms=feddag-star,feddag,feddag-dagger rounds=${ROUNDS:-30} beside= # there are no published results with this amount of data

full='--feddag-secondary-head full --feddag-secondary-init random --feddag-own-source=false --feddag-order parallel'
of() {
	setting "$1" --dataset fashion-mnist --train-share 0.05 --batch 10 --eval-every 2 --reference feddag-star --feddag-encoders 2 --feddag-body own \
		--with "feddag as full head: $full" \
		--with "feddag as others only: --feddag-own-source=false" \
		--with "feddag-dagger as nothing shared: --feddag-secondary-init random" "${@:2}"
}

of I --partition label-skew --feddag-clustering similarity --feddag-choose count:5
of II --partition concept-shift --feddag-clustering similarity --feddag-choose count:3
finish
