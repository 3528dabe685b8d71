#!/usr/bin/env bash
# What does FedDAG's second encoder bring, and what does sharing between clusters? Variants beside FedDAG*, which has one
# encoder and shares nothing, on five percent of Fashion-MNIST, where clusters are poor in data: label skew (I, five
# clusters asked for) and concept shift (II, three), 100 clients, 20 per round, 30 rounds. docs/feddag.md has the tables.
#
#   benchmarks/sharing.sh
#   SETTINGS=II SEEDS=1 ROUNDS=10 OUT=runs/sharing-20 benchmarks/sharing.sh --train-share 0.2 --batch 64
#
# campaign.sh says what else can be set, and how it continues; ALGORITHMS does nothing here.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"
algorithms=feddag-star,feddag,feddag-dagger rounds=${ROUNDS:-30} beside= # there are no published results on so little data

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
