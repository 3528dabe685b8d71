#!/usr/bin/env bash
# Feature skew as in the paper's table 11: CIFAR-10-C, where all images of a client are under one corruption, a
# Dirichlet partition with concentration 1 within each corruption, and a fifth of the clients held out. These join after the
# last round, and their accuracy is shown beside the paper's. Every algorithm, three seeds. Made for one GPU.
#
#   benchmarks/cifar10c.sh                          # the images that Hendrycks and Dietterich published
#   DATASET=cifar10 benchmarks/cifar10c.sh          # CIFAR-10 under our own corruptions; cifar10-jpeg from JPEG files
#
# campaign.sh says what else can be set, and how it continues.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

dataset=${DATASET:-cifar10-c}
partition=feature-skew
if [[ $dataset == cifar10-c ]]; then
	partition=domains
fi
setting "IV-$dataset" --dataset "$dataset" --partition "$partition" --concentration 1 --holdout 0.2
finish
