#!/usr/bin/env bash
# The paper's tables 4 and 10 on CIFAR-100: every algorithm, 100 clients, 20 per round, three seeds. The tables show our
# values next to the paper's. 20 labels per group make five groups, 30 make three, as in its authors' program. Intended for
# one GPU.
#
#   benchmarks/cifar100.sh
#
# campaign.sh describes the settings, and how to continue.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

of() { setting "$1" --dataset cifar100 --partition label-skew "${@:2}"; }

of I-30-1 --groups 3 --labels-per-group 30 --concentration 1 $(clusters 3)
of I-20-1 --groups 5 --labels-per-group 20 --concentration 1
of I-30-0.25 --groups 3 --labels-per-group 30 --concentration 0.25 $(clusters 3)
of I-20-0.25 --groups 5 --labels-per-group 20 --concentration 0.25
finish
