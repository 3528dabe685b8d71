#!/usr/bin/env bash
# Fuzzes the readers of files, one target after another, each for a time in the format of go test -fuzztime.
#
#   scripts/fuzz.sh [TIME [PATTERN]]    # 10m each; PATTERN chooses targets, as grep -E on PACKAGE.TARGET
#
# The seeds are real files. Each target checks that there is no panic, no error with several lines, and no more memory use
# than a small multiple of the input. An input that fails is saved in testdata/fuzz of the package, where go test finds it
# again. An input that reaches new code is minimised for at most a second: by default, go test spends a minute on each, so
# that FuzzReadCheckpoint ran only 26 inputs in ten minutes. The last line says how many targets ran and failed. WORKERS (1)
# is the number of fuzzing processes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10m}
pattern=${2:-.}
env=$(scripts/build_native.sh)
# shellcheck disable=SC1090
. "$env"

ran=0
failed=()
while IFS=: read -r file line; do
	target=$(sed -E 's/func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	package=./$(dirname "$file")
	name=${package#./}.$target
	grep -qE "$pattern" <<<"$name" || continue
	ran=$((ran + 1))
	echo "== $name, $time"
	log=$(mktemp)
	if ! go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s -parallel "${WORKERS:-1}" >"$log" 2>&1; then
		failed+=("$name")
		tail -n 40 "$log"
	else
		grep 'elapsed' "$log" | tail -n 1
	fi
	rm -f "$log"
done < <(git grep -E '^func Fuzz' -- '*_test.go' | sort)
((ran > 0)) || { echo "fuzz: no target matches $pattern" >&2; exit 1; }
echo "fuzz: $ran targets, ${#failed[@]} failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
