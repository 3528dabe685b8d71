#!/usr/bin/env bash
# Verifies on a CUDA machine all that cannot be verified without one (meant for eight minutes), and prints a table. Needs
# python3 with the torch that build/gpu was made for (make gpu-bundle) and numpy, g++, and nvcc or the CUDA headers; no Go, no network.
#
#   scripts/gpu_check.sh                      # on the first GPU, into runs/gpu-check
#   PYTHON=/path/to/python3 OUT=DIR scripts/gpu_check.sh
#   scripts/gpu_check.sh --cpu                # every step that a machine without a GPU can do
#
# 1. compiles gotorch's C++ and the shim      4. compute-sanitizer on a tiny run: memcheck
# 2. doctor                                   5. benchmarks at reduced size, ratios within one run
# 3. parity on ragged clients: eager, serial, 6. FedDAG on Fashion-MNIST, 200 rounds
#    batched, PyTorch on the same device
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
device=cuda
quick=''
for arg in "$@"; do
	case $arg in
	--cpu) device=cpu quick=1 ;;
	*) sed -n '2,13s/^# \{0,1\}//p' "$0" && exit 2 ;;
	esac
done
python=${PYTHON:-python3}
python=$(command -v "$python") || { echo "gpu_check: no ${PYTHON:-python3}" >&2; exit 1; }
bundle=build/gpu
feddag=$bundle/feddag
[[ -x $feddag ]] || { echo "gpu_check: no $feddag: make gpu-bundle, on a machine with Go" >&2; exit 1; }
out=${OUT:-runs/gpu-check}
mkdir -p "$out"
out=$(cd "$out" && pwd)
began=$SECONDS
names=() results=() times=() failed=0

# step NAME LIMIT COMMAND...: runs it for at most LIMIT seconds, its output into a file; the table takes what it says last.
step() {
	local name=$1 limit=$2 from=$SECONDS rc=0 log
	shift 2
	log=$out/${#names[@]}-${name//[^a-z0-9]/-}.log
	printf 'gpu_check: %s\n' "$name" >&2
	if [[ -n $quick ]]; then limit=$((10 * limit)); fi # the eight minutes are a GPU machine's
	timeout "$limit" "$@" >"$log" 2>&1 || rc=$?
	names+=("$name") times+=($((SECONDS - from)))
	if ((rc == 0)); then
		results+=("ok: $(tail -n 1 "$log" | cut -c 1-110)")
	else
		failed=1
		results+=("FAILED ($rc): $(tail -n 1 "$log" | cut -c 1-100)")
		tail -n 5 "$log" >&2
	fi
	return "$rc"
}
skip() {
	names+=("$1") times+=(0) results+=("skipped: $2")
}

# --- 1. compile ------------------------------------------------------------------------------------------------------
export LIBTORCH_USE_PYTORCH=1
shims=$out/bin # find_libtorch.sh asks the python3 on PATH
mkdir -p "$shims"
# A virtual environment's python must be called by its own path, or it forgets its packages.
printf '#!/bin/sh\nexec %q "$@"\n' "$python" >"$shims/python3.sh" && chmod +x "$shims/python3.sh" && mv -f "$shims/python3.sh" "$shims/python3"
export PATH=$shims:$PATH
eval "$(scripts/find_libtorch.sh)" || exit 1
if [[ $LIBTORCH_VERSION != "$(<"$bundle/libtorch")" ]]; then
	echo "gpu_check: $python has torch $LIBTORCH_VERSION, the bundle is for $(<"$bundle/libtorch"): make gpu-bundle with that torch" >&2
	exit 1
fi
gotorch=$root/$bundle/gotorch
if [[ -n $quick ]] && command -v go >/dev/null; then gotorch=''; fi # with Go, what make gpu-bundle has compiled serves
# shellcheck disable=SC2016
step 'compile gotorch and the shim' 420 bash -c '
	env=$(GOTORCH_DIR=$1 scripts/build_native.sh) || exit 1
	dirname "$env" >"$2/built"
	echo "against torch $3"' - "$gotorch" "$out" "$LIBTORCH_VERSION" || { cat "$out"/0-*.log >&2; exit 1; }
built=$(<"$out/built")
export LD_LIBRARY_PATH=$built/lib:$LIBTORCH_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export FEDDAG_DATA_DIR=$root/$bundle

# --- 2. what there is ------------------------------------------------------------------------------------------------
step doctor 60 "$feddag" doctor --device "$device" || { cat "$out"/1-doctor.log >&2; exit 1; }

# --- 3. parity: one round of both phases on clients of 1 sample up, against PyTorch on the same device ----------------
parity() { # MODEL CONTENDERS PRECISION WITHIN
	step "parity $1 $3" 120 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device "$device" --models "$1" \
		--contenders "$2" --precision "$3" --within "$4" --clients 5 --samples "${5:-150}" --ragged --batch 32 --repeats 1 --out "$out/parity-$1-$3"
}
parity lenet memory,serial,batched fp32 1e-5
parity cnn memory,serial,batched fp32 1e-5
if [[ -z $quick ]]; then
	parity resnet9 memory,serial,batched fp32 1e-4
	parity cnn memory,batched tf32 1e-2
	# The eager executor is the CPU's: the same work there has the same losses and weights.
	# shellcheck disable=SC2016
	step 'parity with eager on the CPU' 120 bash -c '
		for x in "eager cpu" "batched cuda"; do
			read -r engine device <<<"$x"
			printf "turn\nstate %s/state-%s\n" "$2" "$engine" |
				"$1" bench --engine "$engine" --device "$device" --clients 5 --samples 60 --ragged --batch 16 || exit 1
		done
		python3 -c "
import sys
sys.path.insert(0, sys.argv[1] + \"/benchmarks\")
from engines import apart, read_safetensors
d = apart(*(read_safetensors(sys.argv[2] + \"/state-\" + e) for e in (\"eager\", \"batched\")))
print(f\"weights {d:.1e} apart\")
sys.exit(d > 1e-5)" "$3" "$2"' - "$feddag" "$out" "$root"
	step 'bf16 trains' 60 bash -c 'echo turn | "$1" bench --engine batched --device cuda --precision bf16 --clients 5 --samples 150' - "$feddag"
fi

# --- 4. compute-sanitizer --------------------------------------------------------------------------------------------
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [[ $device == cpu ]]; then
	skip 'compute-sanitizer' 'no GPU'
elif [[ -z $sanitizer ]]; then
	skip 'compute-sanitizer' 'it is not installed'
else
	step 'compute-sanitizer memcheck' 120 bash -c 'echo turn | "$1" --tool memcheck --error-exitcode 9 "$2" bench --engine batched --device cuda \
		--clients 3 --samples 12 --ragged --batch 4' - "$sanitizer" "$feddag"
fi

# --- 5. benchmarks at reduced size -----------------------------------------------------------------------------------
if [[ -n $quick ]]; then
	step 'benchmark lenet' 120 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --models lenet --contenders serial,memory \
		--clients 4 --samples 128 --repeats 2 --out "$out/bench"
else
	step 'benchmark lenet' 90 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device cuda --models lenet \
		--contenders batched,serial,memory,graphs --repeats 3 --out "$out/bench-lenet"
	step 'benchmark cnn tf32' 90 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device cuda --models cnn --precision tf32 \
		--contenders batched,serial,memory,graphs --repeats 3 --out "$out/bench-cnn"
fi

# --- 6. a whole run --------------------------------------------------------------------------------------------------
rounds=200 more=()
if [[ -n $quick ]]; then rounds=1 more=(--epochs 1 --clients 20); fi
rm -rf "$out/run"
step "FedDAG on Fashion-MNIST, $rounds rounds" 150 "$feddag" train --algorithm feddag --dataset fashion-mnist --device "$device" --rounds "$rounds" \
	--seed 1 --out "$out/run" "${more[@]}"

# --- the table -------------------------------------------------------------------------------------------------------
{
	if [[ $device == cuda ]]; then
		nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1
	else
		echo "without a GPU: what is the GPU's is skipped"
	fi
	echo
	echo '| step | seconds | result |'
	echo '|---|---|---|'
	for i in "${!names[@]}"; do printf '| %s | %d | %s |\n' "${names[i]}" "${times[i]}" "${results[i]//|/,}"; done
	echo
	cat "$out"/bench*/engines.md 2>/dev/null
	if [[ -f $out/run/summary.json ]]; then
		"$python" - "$out/run/summary.json" <<'PY'
import json, sys
s = json.load(open(sys.argv[1]))
print(f"FedDAG, {s['rounds']} rounds: {s['seconds']['total']:.1f} s in all (warm-up {s['seconds']['warmup']:.1f}), "
      f"{1000 * s['seconds_per_round']:.0f} ms a round with evaluation, balanced accuracy {s['final']['pre']['balanced_accuracy']['mean']:.2f} before local training; "
      f"{s['engine']}, {s['precision']}, {s['device_name']}, libtorch {s['libtorch']}")
PY
	fi
	echo "in all $((SECONDS - began)) s; logs in $out"
} | tee "$out/table.md"
exit "$failed"
