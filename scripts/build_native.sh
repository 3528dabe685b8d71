#!/usr/bin/env bash
# Compiles the two C++ libraries against the libtorch that find_libtorch.sh chose:
#   libcgotorch.so   gotorch's C++ part, from the Go module cache (or from the folder GOTORCH_DIR)
#   libfeddag.so     feddag's shim, torch/shim/*.cc
# and writes an env.sh with the variables (CGO_*, GOFLAGS) that `go build` and `go test` need. The last and only line on stdout
# is the path of that env.sh:
#   env=$(scripts/build_native.sh) && . "$env" && go build .
#
# Each libtorch has its own folder, build/<origin>-<version>-<hash>, whose hash covers everything that the compilation depends
# on. Builds against different versions can therefore coexist, each binary finds its own libraries, and outdated files are
# never linked. build/lib and build/env.sh point to the latest build.
#
#   GLOO_INCLUDE   a folder that has gloo/ with Gloo's headers, if the system has none
#   SANITIZE   compile the shim for these sanitizers, such as address,undefined, in a separate folder that build/lib and
#              build/env.sh do not point to (scripts/check_sanitizers.sh)
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
cuda=()
if [[ $LIBTORCH_CUDA == 1 ]]; then
	# The headers of the toolkit, or of the pip packages that came with the wheel, next to torch/ in site-packages. CUDA 13
	# has one folder for everything, earlier versions one folder per library. The headers of CUDA 13 lack crt/ (of which
	# triton has a copy) and nv/ (without which c10/cuda compiles, but not ATen/cuda), which are separate packages.
	site=${LIBTORCH_LIB%/torch/lib}
	if [[ -f ${CUDA_HOME:-/usr/local/cuda}/include/cuda_runtime_api.h ]]; then
		folders=("${CUDA_HOME:-/usr/local/cuda}/include")
	else
		folders=("$site"/nvidia/*/include "$site/triton/backends/nvidia/include")
	fi
	runtime='' crt='' nv='' cudart=''
	for dir in "${folders[@]}"; do
		[[ -d $dir ]] || continue
		cuda+=(-isystem "$dir")
		if [[ -f $dir/cuda_runtime_api.h && $dir != */triton/* ]]; then
			runtime=1
			for lib in "${dir%/include}"/lib64/libcudart.so.* "${dir%/include}"/lib/libcudart.so.*; do
				if [[ -z $cudart && -e $lib ]]; then cudart=$lib; fi
			done
		fi
		if [[ -f $dir/crt/host_defines.h ]]; then crt=1; fi
		if [[ -f $dir/nv/target ]]; then nv=1; fi
		if [[ -f $dir/cccl/nv/target ]]; then
			nv=1
			cuda+=(-isystem "$dir/cccl")
		fi
	done
	[[ -n $runtime && -n $crt && -n $nv && -n $cudart ]] || cuda=()
	if ((${#cuda[@]})); then
		# Without --no-as-needed, the linker drops torch_cuda, which registers itself only when it is loaded, and CUDA
		# silently appears to be unavailable.
		libs+=("-Wl,--no-as-needed" -ltorch_cuda -lc10_cuda "-L${cudart%/*}" "-l:${cudart##*/}")
		# The program looks for the run-time compiler in the folder of the run-time library.
		libs+=("-Wl,-rpath,${cudart%/*}")
	else
		say "libtorch has CUDA, but not all of its headers (cuda_runtime_api.h, crt/, nv/target) and libcudart were found:" \
			"CUDA code is left out. Set CUDA_HOME, or for PyPI's torch with CUDA 13:" \
			"python3 -m pip install 'nvidia-cuda-crt==13.0.*' 'nvidia-cuda-cccl==13.0.*'"
	fi
fi

common=("-std=$std" -fPIC -pthread "-D_GLIBCXX_USE_CXX11_ABI=$LIBTORCH_ABI" "${includes[@]}" "${cuda[@]}")
gotorch_flags=(-O2 -w "-I$gotorch" "${common[@]}")
shim_flags=(-O3 -Wall -Wextra -Itorch/shim "${common[@]}")
if ((${#cuda[@]})); then
	gotorch_flags+=(-DWITH_CUDA)
	shim_flags+=(-DFD_CUDA=1)
fi

# Only torch/shim/group.cc needs the headers of c10d and Gloo, for runs on several ranks. Debian has Gloo's headers in
# libgloo-dev. PyPI's torch has the headers of c10d, and of NCCL in a separate package, but not of Gloo.
group_flags=()
gloo=${GLOO_INCLUDE:-}
for dir in "$LIBTORCH_INCLUDE" /usr/include /usr/local/include; do
	if [[ -z $gloo && -f $dir/gloo/transport/device.h ]]; then gloo=$dir; fi
done
if [[ -n $gloo && ! -f $gloo/gloo/transport/device.h ]]; then
	fail "GLOO_INCLUDE=$gloo has no gloo/transport/device.h"
elif [[ -z $gloo || ! -f $LIBTORCH_INCLUDE/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp ]]; then
	say "no headers of Gloo or of c10d: the program will not run on several ranks (docs/scale.md)." \
		"scripts/setup.sh installs Gloo's (Debian: libgloo-dev); GLOO_INCLUDE names another folder that has gloo/"
else
	group_flags=(-DFD_GLOO=1 -DUSE_C10D_GLOO)
	# Gloo's folder comes last, because it may also contain the headers of another libtorch.
	if [[ $gloo != "$LIBTORCH_INCLUDE" && $gloo != /usr/include ]]; then group_flags+=(-idirafter "$gloo"); fi
	if ((${#cuda[@]})); then
		for dir in "${cuda[@]}"; do
			if [[ -f $dir/nccl.h && -f $LIBTORCH_INCLUDE/torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp ]]; then
				group_flags+=(-DFD_NCCL=1 -DUSE_C10D_NCCL)
				break
			fi
		done
	fi
fi

if [[ -n ${SANITIZE:-} ]]; then
	# vptr needs the type information of libtorch's classes, which the library hides.
	sanitizers=("-fsanitize=$SANITIZE" -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
	shim_flags+=(-g1 -O1 "${sanitizers[@]}")
	libs+=("${sanitizers[@]}")
fi

# --- the folder ------------------------------------------------------------------------------------------------------
hash=$({
	printf '%s\n' "$found" "$("$cxx" --version | head -n 1)" "${gotorch_flags[@]}" "${shim_flags[@]}" "${libs[@]}"
	stat -L -c '%s %Y' "$LIBTORCH_LIB/libtorch_cpu.so" # detects a new installation of the same version
} | sha256sum | cut -c 1-8)
out=$root/build/$LIBTORCH_ORIGIN-$LIBTORCH_VERSION-$hash
mkdir -p "$out/lib" "$out/obj/shim"

# Only one build at a time may use the folder: `make test` in two terminals must not write the same files.
if command -v flock >/dev/null; then
	exec 9>"$out/.lock"
	flock 9
fi

digest() { cat "$@" </dev/null | sha256sum | cut -c 1-8; }
header=$(digest torch/shim/fd.h torch/shim/group.h)

# --- compile and link ------------------------------------------------------------------------------------------------
cores=$(nproc 2>/dev/null || echo 2)
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
shopt -s nullglob

# newer FILE FOLDER PATTERN...: FILE is missing or older than something in FOLDER that matches.
newer() {
	local file=$1 folder=$2 pattern
	shift 2
	[[ -f $file ]] || return 0
	for pattern in "$@"; do
		[[ -z $(find "$folder" -maxdepth 1 -name "$pattern" -newer "$file" -print -quit) ]] || return 0
	done
	return 1
}

# compile WHAT SOURCE OUTPUT FLAGS...: compiles to a temporary file and renames it, so that a killed build leaves no
# incomplete file.
compile() {
	local source=$2 output=$3
	say "$1"
	shift 3
	"$cxx" "$@" "$source" -o "$output.tmp" && mv "$output.tmp" "$output"
}

# link LIBRARY OBJECTS...: links if an object is newer than the library, or if the list of objects has changed.
link() {
	local library=$out/lib/$1 list=$out/obj/$1.list object old=''
	shift
	for object in "$@"; do
		if [[ $object -nt $library ]]; then old=1; fi
	done
	if [[ -n $old || ! -f $list || $(<"$list") != "$*" ]]; then
		# With --no-undefined, a missing library is an error here, and not when the program starts.
		"$cxx" -shared -pthread "$@" -o "$library.tmp" "-Wl,-soname,$(basename "$library")" "-Wl,--no-undefined" \
			"-Wl,-rpath,$LIBTORCH_LIB" "${libs[@]}" ||
			fail "linking $(basename "$library") against libtorch $LIBTORCH_VERSION in $LIBTORCH_LIB failed"
		mv "$library.tmp" "$library"
		printf '%s' "$*" >"$list"
	fi
}

# gotorch is compiled as one unit: its nine files are short, and most of the time is spent reading libtorch's headers.
object=$out/obj/gotorch.o
if newer "$object" "$gotorch/cgotorch" '*.cc' '*.h'; then
	printf '#include "%s"\n' "$gotorch"/cgotorch/*.cc >"$out/obj/gotorch.cc"
	compile gotorch "$out/obj/gotorch.cc" "$object" -c "${gotorch_flags[@]}" 9>&- &
fi

# The headers are precompiled for the shim. Everything that they depend on is in the folder's name, so they are never out of
# date.
shim=(torch/shim/*.cc)
if ((${#shim[@]})); then
	prefix=$out/obj/shim/prefix.h
	if [[ ! -f $prefix.gch ]]; then
		printf '#include <ATen/ATen.h>\n' >"$prefix"
		compile 'the headers of libtorch' "$prefix" "$prefix.gch" -x c++-header "${shim_flags[@]}" || fail "compilation failed"
	fi
fi
objects=()
for source in "${shim[@]}"; do
	object=$out/obj/shim/$(basename "$source" .cc).o
	objects+=("$object")
	more=()
	# These flags are not in the folder's name, because no other file has to be compiled again when they change.
	case $source in
	*/group.cc) more=("${group_flags[@]}") ;; # Gloo's headers may be installed later
	*/interface.cc) more=("-DFD_HEADER=$header") ;;
	esac
	if ((${#more[@]})); then
		if [[ ! -f $object.flags || $(<"$object.flags") != "${more[*]}" ]]; then rm -f "$object"; fi
		printf '%s' "${more[*]}" >"$object.flags"
	fi
	if [[ $source -nt $object ]] || newer "$object" torch/shim '*.h'; then
		while (($(jobs -rp | wc -l) >= cores)); do wait -n || fail "compilation failed"; done
		compile "$source" "$source" "$object" -c -include "$prefix" "${shim_flags[@]}" "${more[@]}" 9>&- &
	fi
done
while [[ -n $(jobs -p) ]]; do wait -n || fail "compilation failed"; done

link libcgotorch.so "$out/obj/gotorch.o"
if ((${#objects[@]})); then link libfeddag.so "${objects[@]}"; fi

# --- what Go needs to know -------------------------------------------------------------------------------------------
# Go's cache does not see files outside a package's folder. The compiler's flags therefore contain the hash of the C headers,
# and the linker's flags the hash of all C++ files, so that a change rebuilds what depends on it and invalidates cached test
# results.
cflags="-O2 -g -DFD_HEADER=$header"
goflags=()
if command -v go >/dev/null; then
	for flag in $(go env GOFLAGS); do
		[[ $flag == -ldflags=-X=feddag/torch.native=* ]] || goflags+=("$flag")
	done
fi
native="-X=feddag/torch.native=$(digest torch/shim/*.cc torch/shim/*.h "$out/obj/shim/group.o.flags")"

# The flags do not pass through a shell on their way to the linker, so $ORIGIN is not expanded. Go splits them at blanks that
# are not quoted.
ld=()
# shellcheck disable=SC2016
for flag in -O2 -g "-L$out/lib" "-L$LIBTORCH_LIB" '-Wl,-rpath,$ORIGIN/build/'"$(basename "$out")/lib" \
	"-Wl,-rpath,$out/lib" "-Wl,-rpath,$LIBTORCH_LIB"; do
	if [[ $flag == *[[:space:]]* ]]; then flag="'$flag'"; fi
	ld+=("$flag")
done
# torch_cuda is not listed here, because libfeddag.so and libcgotorch.so already depend on it. Otherwise, programs that use
# cgo only in the standard library, such as the tests of federation/data, would depend on it too, and Go's own linker gives
# them no rpath.
{
	printf '# Made by scripts/build_native.sh.\n'
	printf 'export CGO_ENABLED=1\n'
	printf 'export CGO_CFLAGS=%q\n' "$cflags"
	printf 'export CGO_CXXFLAGS=%q\n' "-O2 -g -std=$std -D_GLIBCXX_USE_CXX11_ABI=$LIBTORCH_ABI"
	printf 'export CGO_LDFLAGS=%q\n' "${ld[*]}"
	printf 'export GOFLAGS=%q\n' "${goflags[*]} -ldflags=$native"
	printf 'export FEDDAG_LDFLAGS=%q # for those who give -ldflags themselves\n' "$native"
} >"$out/env.sh.tmp"
mv "$out/env.sh.tmp" "$out/env.sh"
if [[ -z ${SANITIZE:-} ]]; then
	ln -sfn "$(basename "$out")/lib" build/lib
	ln -sfn "$(basename "$out")/env.sh" build/env.sh
fi

cuda_note='no CUDA'
if ((${#cuda[@]})); then cuda_note=CUDA; fi
say "libtorch $LIBTORCH_VERSION ($LIBTORCH_ORIGIN, $cuda_note) in $LIBTORCH_LIB"
printf '%s\n' "$out/env.sh"
