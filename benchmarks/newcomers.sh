#!/usr/bin/env bash
# Newcomers, as in the paper's table 13: label skew with three labels per group and concentration 1. 80 of 100 clients train
# for 80 rounds, then the other 20 join; their accuracy is shown next to the paper's. Every algorithm, three seeds.
#
#   benchmarks/newcomers.sh
#   DATASET=cifar10 benchmarks/newcomers.sh
#
# campaign.sh describes the other settings, and how to continue.
ROUNDS=${ROUNDS:-80}
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

dataset=${DATASET:-fashion-mnist}
setting "$dataset" --dataset "$dataset" --partition label-skew --labels-per-group 3 --concentration 1 --holdout 0.2
finish
