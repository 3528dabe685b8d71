#!/usr/bin/env bash
# The paper's tables 2, 4, 5 and 10 on Fashion-MNIST: every algorithm, 100 clients, 20 per round, three seeds. The tables show
# our values next to the paper's. Partition I is label skew with two or three labels per group and concentration 0.25 or 1, II
# is concept shift, III is the Dirichlet partition (lda).
#
#   benchmarks/fmnist.sh
#   SETTINGS="I-30-1 II" ALGORITHMS=feddag,fedavg SEEDS=1 ROUNDS=5 benchmarks/fmnist.sh --workers 4
#
# campaign.sh describes the other settings, and how to continue.
. "$(dirname "${BASH_SOURCE[0]}")/campaign.sh"

of() { setting "$1" --dataset fashion-mnist --partition "${@:2}"; }

of I-30-1 label-skew --labels-per-group 3 --concentration 1
of II concept-shift $(clusters 3) # the number of concepts
of I-20-1 label-skew --labels-per-group 2 --concentration 1
of I-30-0.25 label-skew --labels-per-group 3 --concentration 0.25
of I-20-0.25 label-skew --labels-per-group 2 --concentration 0.25
of III-1 lda --concentration 1 --except oracle # the oracle needs true groups
of III-0.25 lda --concentration 0.25 --except oracle
finish
