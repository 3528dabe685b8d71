#!/usr/bin/env bash
# The one place that decides which libtorch is used. Prints shell assignments:
#   eval "$(scripts/find_libtorch.sh)"
#
# In this order:
#   LIBTORCH=DIR             a folder with include/ and lib/
#   LIBTORCH_USE_PYTORCH=1   the torch package of the python3 on PATH, for example of an active virtual environment
#   .venv/                   made by scripts/setup.sh if the distribution has no libtorch-dev
#   system folders           /usr or /usr/local
#
# Nothing of the libtorch that is found is imported or executed, so this takes milliseconds and also works if its CUDA
# libraries cannot be loaded.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
	printf 'find_libtorch: %s\n' "$@" >&2
	exit 1
}

# python_torch PYTHON prints the folder of its torch package, without importing it.
python_torch() {
	# A folder called torch in the current directory is not PyTorch: -I keeps it off the path.
	"$1" -I -c 'import importlib.util as u, os
spec = u.find_spec("torch")
origin = spec and spec.origin
print(os.path.dirname(origin) if origin else "")' 2>/dev/null || true
}

# usable DIR: succeeds if the folder has headers and libraries.
usable() { [[ -f $1/include/torch/csrc/api/include/torch/torch.h && -e $1/lib/libtorch_cpu.so ]]; }

include='' lib='' origin=''
if [[ -n ${LIBTORCH:-} ]]; then
	usable "$LIBTORCH" || fail "LIBTORCH=$LIBTORCH has no libtorch:" \
		"expected include/torch/csrc/api/include/torch/torch.h and lib/libtorch_cpu.so in it"
	dir=$(cd "$LIBTORCH" && pwd)
	include=$dir/include lib=$dir/lib origin=folder
elif [[ ${LIBTORCH_USE_PYTORCH:-0} == 1 ]]; then
	python=$(command -v python3) || fail "LIBTORCH_USE_PYTORCH=1, but there is no python3 on PATH"
	dir=$(python_torch "$python")
	[[ -n $dir ]] || fail "LIBTORCH_USE_PYTORCH=1, but $python has no torch:" \
		"activate the environment that has it, or: python3 -m pip install torch"
	usable "$dir" || fail "LIBTORCH_USE_PYTORCH=1, but $dir has no include/ and lib/ (a wheel from PyPI has both)"
	include=$dir/include lib=$dir/lib origin=pytorch
elif [[ -x $root/.venv/bin/python3 ]] && dir=$(python_torch "$root/.venv/bin/python3") && [[ -n $dir ]] && usable "$dir"; then
	include=$dir/include lib=$dir/lib origin=venv
else
	arch=$("${CXX:-g++}" -print-multiarch 2>/dev/null || true)
	for prefix in /usr /usr/local; do
		for folder in "lib/${arch:-$(uname -m)-linux-gnu}" lib64 lib; do
			if [[ -z $lib && -f $prefix/include/torch/csrc/api/include/torch/torch.h && -e $prefix/$folder/libtorch_cpu.so ]]; then
				include=$prefix/include lib=$prefix/$folder origin=system
			fi
		done
	done
	[[ -n $lib ]] || fail "no libtorch found. Any one of these:" \
		"  scripts/setup.sh          (Debian: apt-get install libtorch-dev)" \
		"  LIBTORCH=DIR              a folder with include/ and lib/ from pytorch.org" \
		"  LIBTORCH_USE_PYTORCH=1    the torch package of python3 (python3 -m pip install torch)"
fi

# version.h has moved between releases. The numbers are always plain defines.
version=''
for header in "$include"/torch/csrc/api/include/torch/version.h "$include"/torch/headeronly/version.h; do
	[[ -f $header && -z $version ]] || continue
	version=$(awk '$2 == "TORCH_VERSION_MAJOR" {a = $3} $2 == "TORCH_VERSION_MINOR" {b = $3}
		$2 == "TORCH_VERSION_PATCH" {c = $3} END {if (a != "" && b != "") print a "." b "." c + 0}' "$header")
done
[[ -n $version ]] || fail "cannot read the version of the libtorch in $include (no version.h)"
IFS=. read -r major minor _ <<<"$version"
if ((major < 1 || (major == 1 && minor < 13))); then
	fail "libtorch $version in $lib is too old: 1.13 or later is needed"
fi

# Wheels before 2.6 use the old string ABI. The symbols of the library show which ABI it has: the constructor of c10::Error
# takes a string, which the old ABI mangles as Ss.
abi=1
if LC_ALL=C grep -aq '_ZN3c105ErrorC[12]ENS_14SourceLocationESs' "$lib/libc10.so"; then abi=0; fi

cuda=0
if [[ -e $lib/libtorch_cuda.so ]]; then cuda=1; fi

printf '%s=%q\n' LIBTORCH_INCLUDE "$include" LIBTORCH_LIB "$lib" LIBTORCH_VERSION "$version" \
	LIBTORCH_ORIGIN "$origin" LIBTORCH_ABI "$abi" LIBTORCH_CUDA "$cuda"
