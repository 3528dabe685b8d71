#!/usr/bin/env bash
# Feature skew on CIFAR-10, as in the paper's table 11: the Dirichlet partition of concentration 1, every client's images
# under one of the corruptions of CIFAR-10-C, a fifth of the clients held out. These join before the last round; their
# accuracy as they arrive stands beside the paper's. Every algorithm, three seeds. Made for one GPU.
#
#   benchmarks/cifar10c.sh
#   DATASET=cifar10-jpeg benchmarks/cifar10c.sh --data-dir DIR    # from JPEG files, which are lossy: its tables say so
#
# campaign.sh says what else can be set, and how it continues.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

setting IV --dataset "${DATASET:-cifar10}" --partition feature-skew --concentration 1 --holdout 0.2 \
	--scenario "$(joining)"
finish
