#!/usr/bin/env bash
# The paper's ablations of FedDAG, tables 3, 6 to 9 and 14 to 18, on Fashion-MNIST (table 18: CIFAR-10, which is the only data
# set in the paper): 100 clients, 20 per round, three seeds. The tables show our values next to the paper's. The runs use
# feddag's defaults, or the paper's with --preset=paper.
#
#   benchmarks/ablations.sh
#   SETTINGS="table-8 table-14" SEEDS=1 ROUNDS=5 benchmarks/ablations.sh --preset=paper
#   DATASET=cifar10 benchmarks/ablations.sh
#
# campaign.sh describes the other settings, and how to continue; ALGORITHMS has no effect here.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"
beside=benchmarks/paper_ablations.csv

dataset=${DATASET:-fashion-mnist}
skew() { echo --partition=label-skew --labels-per-group="$1" --concentration="$2"; }

# of TABLE ALGORITHMS FLAGS...
of() { algorithms=$2 setting "$1" --dataset "$dataset" --feddag-clustering similarity "${@:3}"; }

# each ALGORITHM NAME FLAGS FLAG VALUE...: adds a variant "NAME VALUE" for each value
each() {
	local value
	variants=()
	for value in "${@:5}"; do
		variants+=(--with "$1 as $2 ${value/:/ to }: $3 $4=$value") # a name ends at the colon
	done
}

similarities=(
	--with 'feddag-star as gradient only: --feddag-fusion=fixed:1'
	--with 'feddag-star as data only: --feddag-fusion=fixed:0'
)

of table-3 feddag,feddag-star,feddag-dagger $(skew 2 0.25) --feddag-encoders=2
each feddag-star tg --feddag-fusion=fixed:1 --feddag-warmup-rounds 1 2 3
of table-6 "" $(skew 3 1) "${variants[@]}"
each feddag-star delta --feddag-fusion=fixed:0 --feddag-delta 0.2 0.4 0.6 0.8 1
of table-7 "" $(skew 2 0.25) "${variants[@]}"
each feddag k --feddag-encoders=2 --feddag-top-k 1 2 3 4
of table-8 "" $(skew 3 1) "${variants[@]}"
each feddag-star mask --feddag-fusion=fixed:1 --feddag-mask 0.001 0.005 0.01 0.02 0.2
of table-9 "" $(skew 3 1) "${variants[@]}"
of table-14 feddag-star $(skew 3 0.25) "${similarities[@]}"
of table-15 feddag-star --partition=concept-shift "${similarities[@]}"
of table-16 feddag,feddag-star,feddag-dagger --partition=concept-shift --feddag-encoders=2
# The paper gives no weight of the regulariser.
of table-17 feddag $(skew 2 0.25) --feddag-encoders=2 \
	--with 'feddag as regularised: --feddag-primary-init=common --feddag-secondary-init=random --feddag-head-init=random --feddag-diversity=0.1'
dataset=${DATASET:-cifar10} rounds=${ROUNDS:-80}
each feddag schedule --feddag-encoders=2 --feddag-schedule both 1:1 5:1 10:1 15:1
of table-18 "" $(skew 3 0.25) "${variants[@]}"
finish
