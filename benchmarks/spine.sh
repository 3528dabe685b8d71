#!/usr/bin/env bash
# The results on Fashion-MNIST: 100 clients, 20 a round, 5 groups of 3 labels, concentration 1, 30 rounds; FedDAG,
# FedDAG* and FedAvg with three seeds. Prints the tables as Markdown.
#
#   benchmarks/spine.sh
#   SEEDS=1 ROUNDS=5 ALGORITHMS=fedavg OUT=runs/short benchmarks/spine.sh --workers 4
#
# A finished run is left alone, an interrupted one goes on where it was, a finished one of fewer rounds is extended.
# Arguments go to every run that is started anew. FEDDAG is the program (./feddag, of `make build`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seeds=${SEEDS:-1 2 3}
rounds=${ROUNDS:-30}
algorithms=${ALGORITHMS:-feddag feddag-star fedavg}
out=${OUT:-runs/spine}
feddag=${FEDDAG:-./feddag}

# Rounds of a run that ended in a summary; 0 if it did not.
finished() {
	python3 - "$1/summary.json" <<-'EOF' 2>/dev/null || echo 0
		import json, sys
		print(json.load(open(sys.argv[1]))["rounds"])
	EOF
}

mkdir -p "$out"
for seed in $seeds; do
	for algorithm in $algorithms; do
		cell=$out/$algorithm-$seed
		if (($(finished "$cell") >= rounds)); then
			continue
		fi
		echo "== $algorithm, seed $seed" >&2
		if [[ -e $cell/config.yaml && -e $cell/checkpoint/last.safetensors ]]; then
			"$feddag" train --resume "$cell" --rounds "$rounds" >"$cell.log"
			continue
		fi
		if [[ -e $cell ]]; then # it stopped before its first checkpoint
			mv "$cell" "$cell.stopped-$(date +%s)"
		fi
		"$feddag" train --dataset fashion-mnist --clients 100 --rate 0.2 --groups 5 --labels-per-group 3 \
			--concentration 1 --rounds "$rounds" --seed "$seed" --algorithm "$algorithm" --out "$cell" "$@" >"$cell.log"
	done
done
python3 benchmarks/table.py "$out"
