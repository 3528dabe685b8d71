#!/usr/bin/env bash
# Feature skew as in the paper's table 11: CIFAR-10-C, where all images of a client have the same corruption, a Dirichlet
# partition with concentration 1 within each corruption, and a fifth of the clients held out. The held-out clients join after
# the last round, and their accuracy is shown next to the paper's. Every algorithm, three seeds. Intended for one GPU.
#
#   benchmarks/cifar10c.sh                          # the images that Hendrycks and Dietterich published
#   DATASET=cifar10 benchmarks/cifar10c.sh          # CIFAR-10 with feddag's corruptions; cifar10-jpeg from JPEG files
#
# campaign.sh describes the other settings, and how to continue.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

dataset=${DATASET:-cifar10-c}
partition=feature-skew
if [[ $dataset == cifar10-c ]]; then
	partition=domains
fi
setting "IV-$dataset" --dataset "$dataset" --partition "$partition" --concentration 1 --holdout 0.2
finish
