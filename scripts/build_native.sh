#!/usr/bin/env bash
# Compiles the two C++ libraries against the libtorch that find_libtorch.sh chose:
#   libcgotorch.so   gotorch's C++ half, straight out of the Go module cache (GOTORCH_DIR: out of that folder)
#   libfeddag.so     our shim, torch/shim/*.cc
# and writes an env.sh with the CGO_* variables that `go build` and `go test` need. The last and only line on stdout
# is the path of that env.sh:
#   env=$(scripts/build_native.sh) && . "$env" && go build .
#
# Each libtorch has a folder of its own, build/<origin>-<version>-<hash>, the hash over everything that goes into the
# compilation. So builds against two of them live side by side, each binary finds its own libraries, and nothing old
# is ever linked. build/lib and build/env.sh point at the latest.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
	printf 'build_native: %s\n' "$@" >&2
	exit 1
}
say() { printf 'build_native: %s\n' "$@" >&2; }

found=$(scripts/find_libtorch.sh)
eval "$found"
cxx=${CXX:-g++}
command -v "$cxx" >/dev/null || fail "no C++ compiler: $cxx (scripts/setup.sh installs g++)"

gotorch=${GOTORCH_DIR:-}
if [[ -z $gotorch ]]; then
	gotorch=$(go list -m -f '{{.Dir}}' github.com/wangkuiyi/gotorch)
	if [[ -z $gotorch ]]; then # not downloaded yet
		go mod download github.com/wangkuiyi/gotorch
		gotorch=$(go list -m -f '{{.Dir}}' github.com/wangkuiyi/gotorch)
	fi
fi
[[ -d $gotorch/cgotorch ]] || fail "no cgotorch/ in gotorch's folder '$gotorch'"

# --- flags -----------------------------------------------------------------------------------------------------------
IFS=. read -r major minor _ <<<"$LIBTORCH_VERSION"
std=c++17
if ((major > 2 || (major == 2 && minor >= 13))); then std=c++20; fi

# -isystem keeps libtorch's own warnings out; the compiler's default folder must not be named again, or
# `#include_next <stdlib.h>` breaks.
includes=(-isystem "$LIBTORCH_INCLUDE/torch/csrc/api/include")
[[ $LIBTORCH_INCLUDE == /usr/include ]] || includes=(-isystem "$LIBTORCH_INCLUDE" "${includes[@]}")

libs=("-L$LIBTORCH_LIB" -lc10 -ltorch_cpu -ltorch)
cuda_include=''
if [[ $LIBTORCH_CUDA == 1 ]]; then
	# The toolkit's headers, or those of the pip packages that came with the wheel (beside torch/ in site-packages).
	site=${LIBTORCH_LIB%/torch/lib}
	for dir in "${CUDA_HOME:+$CUDA_HOME/include}" "$site"/nvidia/cu*/include "$site"/nvidia/cuda_runtime/include \
		/usr/local/cuda/include; do
		if [[ -z $cuda_include && -n $dir && -f $dir/cuda_runtime_api.h ]]; then cuda_include=$dir; fi
	done
	if [[ -n $cuda_include ]]; then
		# Without --no-as-needed the linker drops torch_cuda, which registers itself only by being loaded, and CUDA
		# silently reads as unavailable.
		libs+=("-Wl,--no-as-needed" -ltorch_cuda -lc10_cuda)
	else
		say "libtorch has CUDA, but cuda_runtime_api.h was not found: CUDA code is left out (set CUDA_HOME)"
	fi
fi

common=("-std=$std" -fPIC -pthread "-D_GLIBCXX_USE_CXX11_ABI=$LIBTORCH_ABI" "${includes[@]}")
if [[ -n $cuda_include ]]; then common+=(-isystem "$cuda_include"); fi
gotorch_flags=(-O2 -w "-I$gotorch" "${common[@]}")
shim_flags=(-O3 -Wall -Wextra -Itorch/shim "${common[@]}")
if [[ -n $cuda_include ]]; then
	gotorch_flags+=(-DWITH_CUDA)
	shim_flags+=(-DFD_CUDA=1)
fi

# --- the folder ------------------------------------------------------------------------------------------------------
hash=$({
	printf '%s\n' "$found" "$("$cxx" --version | head -n 1)" "${gotorch_flags[@]}" "${shim_flags[@]}" "${libs[@]}"
	stat -L -c '%s %Y' "$LIBTORCH_LIB/libtorch_cpu.so" # the same version, installed anew
} | sha256sum | cut -c 1-8)
out=$root/build/$LIBTORCH_ORIGIN-$LIBTORCH_VERSION-$hash
mkdir -p "$out/lib" "$out/obj/gotorch" "$out/obj/shim"

# One build at a time: `make test` in two terminals must not write the same files.
if command -v flock >/dev/null; then
	exec 9>"$root/build/.lock"
	flock 9
fi

# --- compile and link ------------------------------------------------------------------------------------------------
cores=$(nproc 2>/dev/null || echo 2)
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

# stale OBJECT SOURCE: missing, older than its source, or older than a header in the source's folder.
stale() {
	[[ ! -f $1 || $2 -nt $1 ]] || [[ -n $(find "$(dirname "$2")" -maxdepth 1 -name '*.h' -newer "$1" -print -quit) ]]
}

# compile FOLDER SOURCES... -- FLAGS...: every stale source to its object, as many at a time as there are cores.
compile() {
	local folder=$1 sources=() source object
	shift
	while [[ $1 != -- ]]; do sources+=("$1") && shift; done
	shift
	for source in "${sources[@]}"; do
		object=$folder/$(basename "$source" .cc).o
		stale "$object" "$source" || continue
		while (($(jobs -rp | wc -l) >= cores)); do wait -n || fail "compilation failed"; done
		say "$(basename "$folder")/$(basename "$source")"
		# Written aside and renamed: a build that was killed leaves no half object.
		("$cxx" "$@" -c "$source" -o "$object.tmp" && mv "$object.tmp" "$object") 9>&- &
	done
	while [[ -n $(jobs -p) ]]; do wait -n || fail "compilation failed"; done
}

# link LIBRARY OBJECTS...: if an object is newer, or the list of objects changed.
link() {
	local library=$out/lib/$1 object list=$out/obj/$1.list newer=''
	shift
	for object in "$@"; do [[ $object -nt $library ]] && newer=1; done
	if [[ -n $newer || ! -f $list || $(<"$list") != "$*" ]]; then
		# --no-undefined: a library that is missing shows here, and not when the program starts. It finds libtorch by
		# its own path, and the other libraries of the wheel by libtorch's.
		"$cxx" -shared -pthread "$@" -o "$library.tmp" "-Wl,-soname,$(basename "$library")" -Wl,--no-undefined \
			"-Wl,-rpath,$LIBTORCH_LIB" "${libs[@]}" ||
			fail "linking $(basename "$library") against libtorch $LIBTORCH_VERSION in $LIBTORCH_LIB failed"
		mv "$library.tmp" "$library"
		printf '%s' "$*" >"$list"
	fi
}

shopt -s nullglob
gotorch_sources=("$gotorch"/cgotorch/*.cc)
shim_sources=(torch/shim/*.cc)
compile "$out/obj/gotorch" "${gotorch_sources[@]}" -- "${gotorch_flags[@]}"
gotorch_objects=()
for source in "${gotorch_sources[@]}"; do gotorch_objects+=("$out/obj/gotorch/$(basename "$source" .cc).o"); done
link libcgotorch.so "${gotorch_objects[@]}"
if ((${#shim_sources[@]})); then
	compile "$out/obj/shim" "${shim_sources[@]}" -- "${shim_flags[@]}"
	shim_objects=()
	for source in "${shim_sources[@]}"; do shim_objects+=("$out/obj/shim/$(basename "$source" .cc).o"); done
	link libfeddag.so "${shim_objects[@]}"
fi

# --- what Go needs to know -------------------------------------------------------------------------------------------
# Go's cache does not look at headers in a subfolder of a package. Their hash in the flags makes it rebuild.
headers=(torch/shim/*.h)
header_hash=none
if ((${#headers[@]})); then header_hash=$(cat "${headers[@]}" | sha256sum | cut -c 1-8); fi

# The flags go through no shell on their way to the linker: $ORIGIN stays as it is. Go splits at blanks unless quoted.
ld=()
# shellcheck disable=SC2016
for flag in -O2 -g "-L$out/lib" "-L$LIBTORCH_LIB" '-Wl,-rpath,$ORIGIN/build/'"$(basename "$out")/lib" \
	"-Wl,-rpath,$out/lib" "-Wl,-rpath,$LIBTORCH_LIB"; do
	if [[ $flag == *[[:space:]]* ]]; then flag="'$flag'"; fi
	ld+=("$flag")
done
if [[ -n $cuda_include ]]; then ld+=("-Wl,--no-as-needed" -ltorch_cuda -lc10_cuda "-Wl,--as-needed"); fi
{
	printf '# Made by scripts/build_native.sh.\n'
	printf 'export CGO_ENABLED=1\n'
	printf 'export CGO_CFLAGS=%q\n' "-O2 -g -DFD_HEADERS_$header_hash"
	printf 'export CGO_CXXFLAGS=%q\n' "-O2 -g -std=$std -D_GLIBCXX_USE_CXX11_ABI=$LIBTORCH_ABI"
	printf 'export CGO_LDFLAGS=%q\n' "${ld[*]}"
	printf 'export FEDDAG_LIBTORCH=%q\n' "$LIBTORCH_ORIGIN $LIBTORCH_VERSION $LIBTORCH_LIB"
} >"$out/env.sh.tmp"
mv "$out/env.sh.tmp" "$out/env.sh"
ln -sfn "$(basename "$out")/lib" build/lib
ln -sfn "$(basename "$out")/env.sh" build/env.sh

cuda_note='no CUDA'
if [[ -n $cuda_include ]]; then cuda_note=CUDA; fi
say "libtorch $LIBTORCH_VERSION ($LIBTORCH_ORIGIN, $cuda_note) in $LIBTORCH_LIB"
printf '%s\n' "$out/env.sh"
