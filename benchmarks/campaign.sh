# Sourced by the campaigns. `setting NAME FLAGS...` compares the algorithms on one partition, in $OUT/NAME, and shows
# paper.csv next to the results. Arguments of the script are passed to every comparison. Finished runs stay, and the same
# command again continues. Several processes, each with its own GPU (CUDA_VISIBLE_DEVICES), share the runs. Environment
# variables:
#
#   ALGORITHMS  the algorithms, separated by commas (all)
#   SEEDS       the seeds, separated by commas (1,2,3)
#   ROUNDS      number of rounds of every run (the paper's 200 on a GPU, otherwise 30)
#   SETTINGS    names of settings, separated by blanks (all)
#   OUT         directory (runs/ and the name of the script)
#   KEEP        directory whose archive KEEP/SETTING.zip also gets the small files of the finished runs, without models
#               and checkpoints: they make the tables again (feddag compare --read KEEP/SETTING.zip), and the runs of
#               several machines can be collected there
#   FEDDAG      the program (./feddag, of `make build`)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${OUT:-runs/$(basename "$0" .sh)}
rounds=${ROUNDS:-$(if nvidia-smi >/dev/null 2>&1; then echo 200; else echo 30; fi)}
algorithms=${ALGORITHMS:-all}
beside=benchmarks/paper.csv
flags=("$@")
failed=()

setting() {
	local name=$1 code=0
	shift
	if [[ -n ${SETTINGS:-} && " $SETTINGS " != *" $name "* ]]; then
		return
	fi
	echo "==== $name" >&2
	local keep=()
	if [[ -n ${KEEP:-} ]]; then
		keep=(--keep "$KEEP/$name.zip")
	fi
	"${FEDDAG:-./feddag}" compare --algorithms "$algorithms" --seeds "${SEEDS:-1,2,3}" --rounds "$rounds" \
		--clients 100 --rate 0.2 --beside "$beside" --out "$out/$name" "${keep[@]}" "$@" "${flags[@]}" || code=$?
	case $code in
	0) ;;
	1) failed+=("$name") ;;
	*) exit $code ;;
	esac
}

# Prints the flags that set the number of clusters, instead of 5, for the methods that need it.
clusters() {
	local name
	for name in ifca cfl-gp fedsoft fedrc; do
		if [[ $algorithms == all || ,$algorithms, == *,$name,* ]]; then
			echo "--$name-clusters=$1"
		fi
	done
	if [[ $algorithms == all || ,$algorithms, == *,pacfl,* ]]; then
		echo "--pacfl-choose=count:$1"
	fi
}

# Ends the script, with exit code 1 if a run of a setting failed.
finish() {
	if ((${#failed[@]})); then
		echo "settings with runs that failed: ${failed[*]}" >&2
		exit 1
	fi
}
