#!/usr/bin/env bash
# Prints the hashes of the files of tiny runs, one line per file, to check changes that must not change a result. Two programs
# that print the same lines on the same machine compute the same models, metrics and clusters.
#
#   scripts/run_hashes.sh [PROGRAM] > hashes.txt     # PROGRAM is ./feddag of `make build` if it is not given
#
# The runs: every algorithm that the program knows for two rounds (eight clients of Fashion-MNIST, the serial engine on the
# CPU), both presets of FedDAG, FedDAG's other orders of the phases, its clusters by similarity, its warm-up, one scenario,
# one run that is stopped and resumed, and the clustering alone. The hashes depend on libtorch and the BLAS kernel, so only
# compare programs on the same machine.
#
#   KEEP    directory for the runs (default: a temporary directory, which is removed at the end)
set -euo pipefail
program=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../feddag}")
out=${KEEP:-$(mktemp -d)}
if [[ -z ${KEEP:-} ]]; then
	trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
export LC_ALL=C NO_COLOR=1 CI=true

args=(--dataset fashion-mnist --clients 8 --groups 2 --labels-per-group 3 --train-share 0.03
	--seed 3 --device cpu --engine serial --workers 2 --quiet)
rounds=(--rounds 2 --rate 0.5 --epochs 1) # flags of train

# run NAME COMMAND FLAGS...: one run in $out/NAME.
run() {
	local name=$1 command=$2
	shift 2
	if [[ $command == train ]]; then set -- "${rounds[@]}" "$@"; fi
	if ! "$program" "$command" "${args[@]}" --out "$out/$name" "$@" >"$out/$name.log" 2>&1; then
		echo "run_hashes: $name failed:" >&2
		tail -n 5 "$out/$name.log" >&2
		exit 1
	fi
}

# show NAME: prints the hashes of a run's files. Wall times, memory and the path of the run are removed from the metrics.
show() {
	local file
	(
		cd "$out/$1"
		for file in $(find . \( -name '*.safetensors' -not -path './checkpoint/*' \) -o -name 'proximity.npy' -o -name 'clusters.json' -o \
			-name 'metrics.jsonl' -o -name 'clients.csv' -o -name 'partition.json' -o -name 'assignments.jsonl' | sort); do
			printf '%s  %s/%s\n' "$(sed -E 's/"(seconds|training_seconds|training)":[0-9.e+-]+,?//g' "$file" | sha256sum | cut -c1-32)" "$1" "${file#./}"
		done
	)
}

mapfile -t algorithms < <("$program" train --help 2>&1 | awk '/^Algorithms:/ {on = 1; next} /^$/ {on = 0} on {print $1}')
((${#algorithms[@]} > 10)) || { echo "run_hashes: $program lists no algorithms" >&2; exit 1; }

names=()
for a in "${algorithms[@]}"; do
	flags=()
	case $a in
	ifca | cfl-gp | fedsoft | fedrc) flags=("--$a-clusters=2") ;;
	pacfl) flags=(--pacfl-choose=count:2) ;;
	esac
	if [[ $a == cfl ]]; then flags=(--cfl-from 0 --cfl-full); fi
	run "$a" train --algorithm "$a" "${flags[@]}"
	names+=("$a")
done
run preset-paper train --preset paper --rounds 2 --feddag-choose count:2
run preset-prototype train --preset prototype --rounds 2 --feddag-choose count:2
run order-parallel train --feddag-encoders 2 --feddag-order parallel --feddag-head-epochs 1 --feddag-diversity 0.1
run order-primary-first train --feddag-encoders 2 --feddag-order primary-first --feddag-secondary-head full --feddag-schedule 2:1
run two-encoders train --feddag-encoders 2
run similarity train --feddag-encoders 2 --feddag-clustering similarity
run warm-up train --feddag-encoders 2 --feddag-warmup-rounds 2
run cluster cluster
run cluster-similarity cluster --feddag-clustering similarity --epochs 1
cat >"$out/scenario.json" <<'JSON'
{"version": 2, "reserve": 0.2, "check_every": 1, "search_after": 2, "events": [
  {"round": 2, "join": [6, 7]}, {"round": 3, "leave": 0}, {"round": 3, "swap": [1, 4]}]}
JSON
run scenario train --scenario "$out/scenario.json" --rounds 4
run scenario-similarity train --scenario "$out/scenario.json" --rounds 4 --feddag-clustering similarity
run held-out train --algorithm ifca --ifca-clusters 2 --holdout 0.25
run resumed train --rounds 1
if ! "$program" train --resume "$out/resumed" --rounds 3 --quiet >"$out/resumed.log" 2>&1; then
	echo "run_hashes: resuming failed:" >&2
	tail -n 5 "$out/resumed.log" >&2
	exit 1
fi
for name in "${names[@]}" preset-paper preset-prototype order-parallel order-primary-first similarity warm-up cluster cluster-similarity scenario \
	scenario-similarity held-out resumed; do
	show "$name"
done
