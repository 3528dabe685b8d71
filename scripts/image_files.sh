#!/usr/bin/env bash
# Copies exactly the files that ./feddag needs to run into a folder whose content can be copied to the root of another machine
# with the same distribution: the program, the libraries that it loads, each with its own path, and their licenses.
# Dockerfile.cuda makes its images from this folder.
#
#   scripts/image_files.sh DIR
#
# The C library is left out, because it belongs to the loader of the other machine. NVIDIA's driver is left out, too.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
	printf 'image_files: %s\n' "$@" >&2
	exit 1
}

(($# == 1)) || fail "usage: scripts/image_files.sh DIR"
mkdir -p "$1"
out=$(cd "$1" && pwd)
[[ -z $(ls -A "$out") ]] || fail "$out is not empty"
[[ -x feddag && -d build/lib ]] || fail "there is no program yet: make build"

eval "$(scripts/find_libtorch.sh)"
own=(feddag "$(readlink -f build/lib)"/*.so)

# --- what is loaded by name and not linked ---------------------------------------------------------------------------
# cuDNN loads its parts, libtorch loads its linear algebra, and both libtorch and the shim load NVIDIA's run-time compiler.
loaded=()
if [[ $LIBTORCH_CUDA == 1 ]]; then
	shopt -s nullglob
	site=${LIBTORCH_LIB%/torch/lib}
	loaded=("$LIBTORCH_LIB"/libtorch_cuda_linalg.so "$LIBTORCH_LIB"/libcaffe2_nvrtc.so "$site"/nvidia/*/lib/libcudnn*.so.* \
		"$site"/nvidia/*/lib/libnvrtc.so.* "$site"/nvidia/*/lib/libnvrtc-builtins.so.*)
	shopt -u nullglob
fi

# --- what is linked --------------------------------------------------------------------------------------------------
listed=$(ldd "${own[@]}" "${loaded[@]}")
absent=$(awk '/not found/ && $1 !~ /^lib(cuda|nvidia-ml)\.so/ {print $1}' <<<"$listed" | sort -u)
[[ -z $absent ]] || fail "not found:" "$absent"
mapfile -t linked < <(sed -n 's/^.* => \(\/.*\) (0x[0-9a-f]*)$/\1/p' <<<"$listed" | sort -u)

# packages FILE...: prints the Debian packages of the files. Their lists may have /lib or /usr/lib for the same folder.
packages() {
	if command -v dpkg-query >/dev/null; then
		printf '%s\n' "$@" "${@#/usr}" | xargs -d '\n' dpkg-query --search 2>/dev/null || true
	fi
}

# --- copy ------------------------------------------------------------------------------------------------------------
# put FILE: copies the file and the links that lead to it. Links of folders are resolved, because the other machine has its
# own, such as /lib.
put() {
	local file=$1 folder
	while true; do
		folder=$(readlink -f "$(dirname "$file")")
		file=$folder/$(basename "$file")
		if [[ ! -e $out$file && ! -L $out$file ]]; then
			mkdir -p "$out$folder"
			cp -d --preserve=mode,timestamps,links "$file" "$out$file"
		fi
		[[ -L $file ]] || return 0
		file=$(cd "$folder" && realpath -s "$(readlink "$file")")
	done
}

for file in "${own[@]}" "${loaded[@]}" "${linked[@]}"; do
	case $(basename "$file") in
	ld-linux*.so* | libc.so.6 | libm.so.6 | libmvec.so.1 | libdl.so.2 | libpthread.so.0 | librt.so.1 | libresolv.so.2 | libutil.so.1) ;;
	*) put "$(realpath -s "$file")" ;;
	esac
done

# Debian's libraries have no symbol tables, PyTorch's have 170 MB of them. NVIDIA's license does not allow changing its files.
if command -v strip >/dev/null; then
	for file in "${own[@]}" "${linked[@]}" "${loaded[@]}"; do
		file=$(readlink -f "$file")
		if [[ -f $out$file && ($file == "$root"/* || $file == "$LIBTORCH_LIB"/lib*torch* || $file == "$LIBTORCH_LIB"/libc10*) ]]; then
			strip --strip-unneeded "$out$file"
		fi
	done
fi

# --- licenses --------------------------------------------------------------------------------------------------------
put "$root/LICENSE"
mapfile -t files < <(cd "$out" && find . -name '*.so*' -printf '/%P\n')
packages "${files[@]}" | sed 's/:.*//' | sort -u | while read -r package; do
	if [[ -f /usr/share/doc/$package/copyright ]]; then put "/usr/share/doc/$package/copyright"; fi
done
if [[ -d ${LIBTORCH_LIB%/lib}-$LIBTORCH_VERSION.dist-info ]]; then
	find "${LIBTORCH_LIB%/torch/lib}"/{torch,nvidia}*.dist-info -type f \( -iname '*license*' -o -iname 'notice*' \) |
		while read -r file; do put "$file"; done
fi

printf 'image_files: %s files, %s MiB in %s\n' "$(find "$out" -type f | wc -l)" "$(du -sm "$out" | cut -f 1)" "$out" >&2
