#!/usr/bin/env bash
# Runs the tests of every package that computes with libtorch on the BLAS kernels of other processors, because rounding
# differs between kernels and a test must not depend on the one that this processor gets. `make check` calls it.
#   scripts/check_kernels.sh [FLAGS OF go test]
# OPENBLAS_CORETYPE selects the kernel of OpenBLAS. MKL does not support this choice on every processor; with MKL, MKL_CBWR
# and libtorch's ATEN_CPU_CAPABILITY change the order of sums. ONEDNN_MAX_CPU_ISA is not changed: libtorch asks the processor,
# and not oneDNN, whether oneDNN has bfloat16 convolutions, so these would fail with AVX2 on a processor with AVX-512.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
	printf 'check_kernels: %s\n' "$@" >&2
	exit 1
}
say() { printf 'check_kernels: %s\n' "$@" >&2; }

environment=$(scripts/build_native.sh)
# shellcheck source=/dev/null
. "$environment"

# The packages whose tests depend on package torch. go list -test names a package's test binary PACKAGE.test.
module=$(go list -m)
mapfile -t packages < <(go list -test -f '{{.ImportPath}} {{join .Deps " "}} ' ./... |
	awk -v torch=" $module/torch " '$1 ~ /\.test$/ && index($0, torch) {sub(/\.test$/, "", $1); print $1}')
((${#packages[@]})) || fail "no package depends on $module/torch"

program=$(mktemp)
trap 'rm -f "$program"' EXIT
go build -ldflags "$FEDDAG_LDFLAGS" -o "$program" .
# kernel VARIABLE=VALUE... prints the kernel that runs with these variables.
kernel() { env "$@" "$program" doctor 2>/dev/null | sed -n -e 's/^BLAS *\(.*\), .*/\1/p' -e 's/^SIMD */libtorch /p' | paste -sd, | sed 's/,/, /'; }

default=$(kernel || true)
[[ -n $default ]] || fail "feddag doctor does not name the BLAS"
say "by default this processor runs $default"

# Each line has the processor flag that the kernel needs, the expected name of the kernel, and the variables.
case $default in
OpenBLAS*)
	choices=('avx2 Haswell OPENBLAS_CORETYPE=Haswell' 'avx2 Zen OPENBLAS_CORETYPE=Zen'
		'avx512f SkylakeX OPENBLAS_CORETYPE=SkylakeX')
	;;
MKL*)
	choices=('avx2 AVX2 MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=avx2'
		'sse2 DEFAULT MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default')
	;;
*)
	say "this BLAS has one kernel only: there is no other to run the tests with"
	exit 0
	;;
esac

failed=()
for choice in "${choices[@]}"; do
	read -r flag name variables <<<"$choice"
	read -ra variables <<<"$variables"
	if ! grep -qwm 1 "$flag" /proc/cpuinfo; then
		say "SKIPPED $name: this processor has no $flag"
		continue
	fi
	runs=$(kernel "${variables[@]}" || true)
	if [[ $runs != *"$name"* ]]; then
		say "SKIPPED $name: with ${variables[*]} the kernel is ${runs:-unknown}"
		continue
	fi
	say "$runs (${variables[*]})"
	# -count=1 is needed because Go's cache of test results does not depend on these variables.
	env "${variables[@]}" go test -count=1 -timeout 60m "$@" "${packages[@]}" || failed+=("$runs")
done
((${#failed[@]} == 0)) || fail "tests failed on other kernels than this processor's:" "${failed[@]/#/  }"
