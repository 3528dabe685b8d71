#!/usr/bin/env bash
# Compiles the CUDA kernels for the host, for tests, with a fiber for each thread and checks of their memory accesses
# (torch/fibers). Does nothing if the library is newer than all of its sources.
#
#   scripts/build_fibers.sh LIBRARY [SHIM [KERNELS]]
#
# LIBRARY is the shared library that is made. SHIM is the folder of the kernels (torch/shim), KERNELS the file that
# includes them (torch/fibers/kernels.cc).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
library=$1 shim=${2:-torch/shim} kernels=${3:-torch/fibers/kernels.cc}
cxx=${CXX:-g++}
if [[ -f $library && -z $(find torch/fibers "$shim" "$kernels" scripts/build_fibers.sh -type f -newer "$library" -print -quit) ]]; then exit 0; fi
mkdir -p "$(dirname "$library")"
# Symbols are hidden because the program that loads the library has the same kernels, compiled differently. _FORTIFY_SOURCE is
# off because it would report a jump to another fiber's stack as an error.
flags=(-std=c++17 -O1 -g1 -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Itorch/fibers "-I$shim")
"$cxx" "${flags[@]}" -DFD_FIBERS -fsanitize=thread -Wno-tsan -c "$kernels" -o "$library.kernels.o"
"$cxx" "${flags[@]}" -O2 -c torch/fibers/fibers.cc -o "$library.fibers.o"
"$cxx" -shared "$library.kernels.o" "$library.fibers.o" -o "$library.tmp" -Wl,-Bsymbolic -Wl,--no-undefined
mv "$library.tmp" "$library"
