#!/usr/bin/env bash
# Analyses the CUDA kernels without a GPU: compiles them for several architectures and reports registers, spills, shared
# memory and the share of multiply-adds in the main loop of each kernel (see scripts/kernels_lab.py).
#
#   scripts/kernels_lab.sh [--check] [--arch sm_90a]... [--type f32]...
#
# The first call installs NVIDIA's compiler and disassembler from PyPI into build/kernels-lab/venv (250 MB). The compiler has
# the version that comes with PyTorch 2.11. NVRTC=VERSION selects another version; remove build/kernels-lab before changing
# it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=build/kernels-lab/venv
# A disassembler can read the code of older compilers. PyPI has no disassembler as old as the compiler.
packages=("nvidia-cuda-nvrtc==${NVRTC:-13.0.88}" nvidia-cuda-nvdisasm==13.2.86)
if [[ ! -f $venv/installed ]]; then
	mkdir -p build/kernels-lab
	python3 -m venv "$venv" || { echo "kernels_lab: python3 cannot make a virtual environment; on Debian install python3-venv" >&2; exit 1; }
	"$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" ||
		{ echo "kernels_lab: pip could not install ${packages[*]}; is the network there?" >&2; exit 1; }
	touch "$venv/installed"
fi
exec "$venv/bin/python" scripts/kernels_lab.py "$@"
