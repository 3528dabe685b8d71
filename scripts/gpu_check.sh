#!/usr/bin/env bash
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that steps start
# Verifies on a CUDA machine all that cannot be verified without one, and prints a table. Needs
# python3 with the torch that build/gpu was made for (make gpu-bundle) and numpy, g++, and nvcc or the CUDA headers; no Go, no network.
#
#   scripts/gpu_check.sh                      # on the first GPU, into runs/gpu-check
#   PYTHON=/path/to/python3 OUT=DIR LIMIT=SECONDS scripts/gpu_check.sh   # at most LIMIT seconds, by default eight minutes
#   scripts/gpu_check.sh --cpu                # every step that a machine without a GPU can do
#
# 1. compiles gotorch's C++ and the shim
# 2. doctor
# 3. side by side: parity of batched, serial and eager with PyTorch on ragged clients, fused kernels, convolutions on tensor
#    cores, bf16, --deterministic, --memory, compute-sanitizer on tiny runs; then a device whose memory another program holds
# 4. benchmarks at reduced size, ratios within one run
# 5. FedDAG on Fashion-MNIST, 200 rounds (ROUNDS)
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
device=cuda
quick=''
for arg in "$@"; do
	case $arg in
	--cpu) device=cpu quick=1 ;;
	*) sed -n '3,16s/^# \{0,1\}//p' "$0" && exit 2 ;;
	esac
done
python=${PYTHON:-python3}
python=$(command -v "$python") || { echo "gpu_check: no ${PYTHON:-python3}" >&2; exit 1; }
bundle=build/gpu
[[ -f $bundle/feddag.gz ]] || { echo "gpu_check: no $bundle/feddag.gz: make gpu-bundle, on a machine with Go" >&2; exit 1; }
out=${OUT:-runs/gpu-check}
mkdir -p "$out"
out=$(cd "$out" && pwd)
feddag=$out/feddag
gzip -dc "$bundle/feddag.gz" >"$feddag" && chmod +x "$feddag" || exit 1
began=$SECONDS
deadline=$((began + ${LIMIT:-480}))
n=0 # steps so far

# row N NAME SECONDS RESULT: writes a row of the table to a separate file, since steps may run at the same time.
row() { printf '| %s | %d | %s |\n' "$2" "$3" "${4//|/,}" >"$out/row-$(printf %02d "$1")"; }

# step NAME LIMIT COMMAND...: runs it for at most LIMIT seconds, with its output in a file; the last line goes into the table. On
# a GPU, all steps together have $LIMIT seconds, so that the table is printed even if kernels hang.
step() {
	local number=$((n++))
	numbered "$number" "$@"
}
# beside NAME LIMIT COMMAND...: the same, but concurrently with the next steps, up to `wait`; for steps that are not timed.
beside() {
	local number=$((n++))
	numbered "$number" "$@" &
}
numbered() {
	local number=$1 name=$2 limit=$3 from=$SECONDS left=$((deadline - SECONDS)) rc=0 log
	shift 3
	log=$out/$number-${name//[^a-z0-9]/-}.log
	printf 'gpu_check: %s\n' "$name" >&2
	if [[ -n $quick ]]; then
		limit=$((10 * limit)) # the limits are for a machine with a GPU
	elif ((left < 1)); then
		row "$number" "$name" 0 'FAILED: no time is left'
		return 1
	elif ((limit > left)); then
		limit=$left
	fi
	# SIGKILL, to all processes of the step: feddag ends in order at SIGTERM, which it cannot while a kernel hangs.
	timeout -s KILL "$limit" "$@" >"$log" 2>&1 || rc=$?
	if ((rc == 0)); then
		row "$number" "$name" $((SECONDS - from)) "ok: $(tail -n 1 "$log" | cut -c 1-110)"
	else
		row "$number" "$name" $((SECONDS - from)) "FAILED ($rc): $(tail -n 1 "$log" | cut -c 1-100)"
		tail -n 5 "$log" >&2
	fi
	return "$rc"
}
skip() {
	row "$n" "$1" 0 "skipped: $2"
	n=$((n + 1))
}
rm -f "$out"/row-*

# --- 1. compile ------------------------------------------------------------------------------------------------------
export LIBTORCH_USE_PYTORCH=1
shims=$out/bin # find_libtorch.sh asks the python3 on PATH
mkdir -p "$shims"
# The python of a virtual environment must be called by its own path, or it does not find its packages.
printf '#!/bin/sh\nexec %q "$@"\n' "$python" >"$shims/python3.sh" && chmod +x "$shims/python3.sh" && mv -f "$shims/python3.sh" "$shims/python3"
export PATH=$shims:$PATH
eval "$(scripts/find_libtorch.sh)" || exit 1
if [[ $LIBTORCH_VERSION != "$(<"$bundle/libtorch")" ]]; then
	echo "gpu_check: $python has torch $LIBTORCH_VERSION, the bundle is for $(<"$bundle/libtorch"): make gpu-bundle with that torch" >&2
	exit 1
fi
gotorch=$root/$bundle/gotorch
if [[ -n $quick ]] && command -v go >/dev/null; then gotorch=''; fi # with Go, use what make gpu-bundle has compiled
step 'compile gotorch and the shim' 420 bash -c '
	env=$(GOTORCH_DIR=$1 scripts/build_native.sh) || exit 1
	dirname "$env" >"$2/built"
	echo "against torch $3"' - "$gotorch" "$out" "$LIBTORCH_VERSION" || { cat "$out"/0-*.log >&2; exit 1; }
built=$(<"$out/built")
export LD_LIBRARY_PATH=$built/lib:$LIBTORCH_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export FEDDAG_DATA_DIR=$root/$bundle

# --- 2. what there is ------------------------------------------------------------------------------------------------
step doctor 60 "$feddag" doctor --device "$device" || { cat "$out"/1-doctor.log >&2; exit 1; }

# --- 3. what needs no clock, side by side ----------------------------------------------------------------------------
# Parity: one round of both phases on clients with 1 sample or more, compared with PyTorch on the same device.
parity() { # MODEL CONTENDERS PRECISION WITHIN
	beside "parity $1 $3" 150 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device "$device" --models "$1" \
		--contenders "$2" --precision "$3" --within "$4" --clients 5 --samples 150 --ragged --batch 32 --repeats 1 --out "$out/parity-$1-$3"
}
# bench OUT FLAGS...: does two turns, and writes the weights after them to $out/OUT.
bench() {
	local state=$out/$1
	shift
	printf 'turn\nturn\nstate %s\n' "$state" | "$feddag" bench --device "$device" "$@"
}
# weights_alike OUT OUT [WITHIN]: succeeds if two benches ended with the same weights, to 1e-5 of the largest or as given.
weights_alike() {
	python3 -c '
import sys
sys.path.insert(0, "benchmarks")
from engines import apart, read_safetensors
d = apart(*map(read_safetensors, sys.argv[1:3]))
print(f"weights {d:.1e} apart")
sys.exit(not d <= float(sys.argv[3]))' "$out/$1" "$out/$2" "${3:-1e-5}"
}
# memcheck NAME FLAGS...: a tiny run under compute-sanitizer.
memcheck() {
	local name=$1
	shift
	beside "compute-sanitizer memcheck, $name" 150 bash -c 'sanitizer=$1; shift
		echo turn | "$sanitizer" --tool memcheck --error-exitcode 9 "$feddag" bench --engine batched --device cuda \
			--clients 3 --samples 12 --ragged --batch 4 "$@"' - "$sanitizer" "$@"
}
export -f bench weights_alike
export out feddag device
parity lenet memory,serial,batched fp32 1e-5
parity cnn memory,serial,batched fp32 1e-5
if [[ -n $quick ]]; then
	wait
	skip 'compute-sanitizer' 'no GPU'
else
	parity resnet9 memory,serial,batched fp32 1e-3
	parity cnn memory,batched tf32 1e-2
	# The eager executor only runs on the CPU. The same work there must give the same losses and weights.
	beside 'parity with eager on the CPU' 150 bash -c '
		work=(--clients 5 --samples 60 --ragged --batch 16)
		bench eager --engine eager --device cpu "${work[@]}" && bench batched --engine batched "${work[@]}" || exit 1
		weights_alike eager batched'
	beside 'parity of the fused kernels' 150 bash -c '
		work=(--engine batched --clients 5 --samples 60 --ragged --batch 16)
		bench unfused "${work[@]}" && bench fused "${work[@]}" --fused-kernels || exit 1
		weights_alike unfused fused'
	# One step per phase. A norm, an addition and a ReLU are one layer in the batched engine, and three in the serial one.
	for norm in batch group; do
		beside "parity of resnet18, $norm norm" 150 bash -c '
			work=(--model resnet18 --norm $1 --clients 3 --samples 32 --batch 32 --lr 0.1)
			bench layers-$1 --engine serial "${work[@]}" && bench layer-$1 --engine batched "${work[@]}" || exit 1
			weights_alike layers-$1 layer-$1 3e-3' - "$norm"
	done
	# The engine itself compares tensor cores with libtorch, and uses other methods if they differ.
	for precision in tf32 bf16; do
		beside "tensor cores, $precision" 150 bash -c '
			for model in cnn resnet9 resnet18; do
				echo turn | "$feddag" bench --engine batched --device cuda --model $model --precision $1 --clients 3 --samples 40 --ragged --batch 16 || exit 1
			done >"$out/cores-$1.txt" 2>&1
			! grep -o "tensor cores impossible (.*" "$out/cores-$1.txt" || exit 1
			tried=$(grep -c "tensor cores [0-9.]* us" "$out/cores-$1.txt")
			echo "$tried shapes of convolutions agree with libtorch"
			((tried > 0))' - "$precision"
	done
	beside 'bf16 trains' 100 bash -c '
		turn=$(bench bf16 --engine batched --precision bf16 --clients 5 --samples 150 | grep seconds | tail -n 1)
		echo "$turn"
		[[ $turn =~ \"loss\":[0-9] ]]' # a NaN is null
	beside 'the same bits, --deterministic' 150 bash -c '
		for run in same again; do bench $run --engine batched --model cnn --deterministic --clients 5 --samples 150 --ragged || exit 1; done
		cmp "$out/same" "$out/again" && echo "two processes, the same weights bit for bit"'
	beside 'in groups, --memory' 100 bash -c '
		work=(--engine batched --model cnn --clients 8 --samples 150)
		bench whole "${work[@]}" && bench groups "${work[@]}" --memory 1GB || exit 1
		weights_alike whole groups'
	sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
	if [[ -z $sanitizer ]]; then
		skip 'compute-sanitizer' 'it is not installed'
	else
		memcheck lenet
		memcheck 'fused kernels' --fused-kernels
		memcheck 'tensor cores' --model cnn --precision tf32
	fi
	wait
	# Another program holds all memory except 6 GB. Groups that do not fit are tried again in halves.
	step 'out of memory' 100 bash -c '
		coproc "$1" -c "
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(free - 6_000_000_000, dtype=torch.uint8, device=\"cuda\")
print(\"held\", flush=True)
sys.stdin.read()"
		set -o pipefail
		read -r held <&"${COPROC[0]}" && [[ $held == held ]] || exit 1
		bench tight --engine batched --model resnet9 --clients 20 --samples 130 --memory 70GB | grep seconds' - "$python"
fi

# --- 4. benchmarks at reduced size -----------------------------------------------------------------------------------
if [[ -n $quick ]]; then
	step 'benchmark lenet' 120 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --models lenet --contenders serial,memory \
		--clients 4 --samples 128 --repeats 2 --out "$out/bench"
else
	step 'benchmark lenet' 90 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device cuda --models lenet \
		--contenders batched,serial,memory,graphs --repeats 3 --out "$out/bench-lenet"
	step 'benchmark cnn tf32' 90 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device cuda --models cnn --precision tf32 \
		--contenders batched,serial,memory,graphs --repeats 3 --out "$out/bench-cnn"
	step 'fused kernels, seconds per turn' 90 bash -c 'set -o pipefail
		seconds() { bench timed --engine batched --epochs 10 --ragged "$@" | sed -n "s/^{\"seconds\":\([^,]*\).*/\1/p" | tail -n 1; }
		without=$(seconds) && with=$(seconds --fused-kernels) && echo "$with, without them $without"'
	# A real round: clients of very different sizes, ten epochs, and fewer and fewer of them active.
	for clients in 1 7 20; do
		step "benchmark lenet ragged, $clients clients" 60 "$python" benchmarks/engines.py --feddag "$feddag" --python "$python" --device cuda \
			--models lenet --contenders batched,graphs --ragged --clients "$clients" --epochs 10 --repeats 2 --out "$out/bench-ragged-$clients"
	done
fi

# --- 5. a whole run --------------------------------------------------------------------------------------------------
rounds=${ROUNDS:-200} more=()
if [[ -n $quick ]]; then rounds=1 more=(--epochs 1 --clients 20); fi
rm -rf "$out/run"
step "FedDAG on Fashion-MNIST, $rounds rounds" 150 "$feddag" train --algorithm feddag --feddag-encoders 2 --dataset fashion-mnist --device "$device" --rounds "$rounds" \
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
	cat "$out"/row-*
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
! grep -q FAILED "$out"/row-*
