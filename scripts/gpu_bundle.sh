#!/usr/bin/env bash
# Puts the files that scripts/gpu_check.sh needs on a machine without Go and network, in addition to a checkout, into
# build/gpu/: the program, built against the torch of the python3 on PATH (PyPI's 2.11 for CUDA 13) and compressed, the C++ files
# of gotorch, and Fashion-MNIST. The checkout and the bundle together are smaller than 64 MiB.
#
#   python3 -m venv .venv-gpu && . .venv-gpu/bin/activate
#   pip install torch==2.11.0 'nvidia-cuda-crt==13.0.*' 'nvidia-cuda-cccl==13.0.*'
#   make gpu-bundle
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
	printf 'gpu_bundle: %s\n' "$@" >&2
	exit 1
}

export LIBTORCH_USE_PYTORCH=1
env=$(scripts/build_native.sh)
# shellcheck disable=SC1090
. "$env"
eval "$(scripts/find_libtorch.sh)"
out=build/gpu
rm -rf "$out"
mkdir -p "$out/gotorch/cgotorch" "$out/fashion-mnist"
go build -ldflags "-s -w $FEDDAG_LDFLAGS -X feddag/cli.commit=$(git describe --always --dirty 2>/dev/null || echo unknown)" -o "$out/feddag" .
gotorch=$(go list -m -f '{{.Dir}}' github.com/wangkuiyi/gotorch)
cp "$gotorch"/cgotorch/*.cc "$gotorch"/cgotorch/*.h "$out/gotorch/cgotorch"
chmod -R u+w "$out/gotorch"
data=$("$out/feddag" doctor | sed -n 's/^data  *fashion-mnist: //p') || true # doctor fails if no GPU can be used
[[ -n $data ]] || fail "no Fashion-MNIST found: feddag data fetch fashion-mnist"
cp "$(dirname "$data")"/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz "$out/fashion-mnist"
printf '%s\n' "$LIBTORCH_VERSION" >"$out/libtorch"
gzip -9 "$out/feddag"
# The sizes of the bundle and of the checkout, without files that have been deleted.
bytes=$({ du -sb "$out" && git ls-files -z --cached --others --exclude-standard | { du -cb --files0-from=- 2>/dev/null || true; } | tail -n 1; } |
	awk '{sum += $1} END {print sum}')
printf 'gpu_bundle: %s, with the checkout %d MiB, for libtorch %s; there: scripts/gpu_check.sh\n' "$out" $((bytes >> 20)) "$LIBTORCH_VERSION"
((bytes < 64 << 20)) || fail "$out and the checkout have $bytes bytes, which is more than 64 MiB"
