#!/usr/bin/env bash
# Short runs of FedAvg and FedDAG on Fashion-MNIST under every partition of the paper. Prints the table of
# docs/results.md as Markdown.
#
#   benchmarks/partitions.sh
#   OUT=runs/partitions FEDDAG=./feddag benchmarks/partitions.sh
#
# Finished runs are kept; an unfinished run begins again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${OUT:-runs/partitions}
feddag=${FEDDAG:-./feddag}
flags=(--dataset fashion-mnist --clients 50 --rounds 10 --epochs 5 --seed 1 --quiet)

# run NAME FLAG... trains both algorithms on a partition and prints a row for each.
run() {
	local name=$1 algorithm
	shift
	for algorithm in fedavg feddag; do
		local dir=$out/$name-$algorithm
		if [[ ! -f $dir/summary.json ]]; then
			rm -rf "$dir"
			"$feddag" train --algorithm "$algorithm" "${flags[@]}" "$@" --out "$dir" >/dev/null
		fi
		python3 - "$dir/summary.json" "$name" "$algorithm" "$*" <<-'EOF'
			import json, sys
			path, name, algorithm, flags = sys.argv[1:]
			s = json.load(open(path))
			score = lambda when: "{mean:.2f} ± {std:.2f}".format(**s["final"][when]["balanced_accuracy"])
			ari = s.get("adjusted_rand_index")
			label = {"fedavg": "FedAvg", "feddag": "FedDAG"}[algorithm]
			print("|", " | ".join([name, f"`{flags}`", label, str(s["clusters"]), "" if ari is None else f"{ari:.2f}",
			                       score("pre"), score("post")]), "|")
		EOF
	done
}

echo "| partition | flags | algorithm | clusters | ARI | before local training | after it |"
echo "|---|---|---|---|---|---|---|"
run I --partition label-skew
run II --partition concept-shift
run III --partition lda
run IV --partition feature-skew --holdout 0.2
run V --partition pairs
