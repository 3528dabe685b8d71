#!/usr/bin/env bash
# Runs the tests of torch/ with the shim under AddressSanitizer and UndefinedBehaviorSanitizer, and the Go code with Go's
# -asan. AddressSanitizer then knows Go's memory, so that it also finds reads and writes of C++ beyond the end of a Go slice.
#
#   scripts/check_sanitizers.sh [FLAGS OF go test]    # -run Engine, for example; ./torch, unless a package is named
#
# libtorch itself is not instrumented. Compiling takes minutes, and the tests take several times as long as usual.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
env=$(SANITIZE=address,undefined scripts/build_native.sh)
# shellcheck disable=SC1090
. "$env"

# detect_leaks: libtorch never frees its registries and thread pools, and the leak check cannot see the handles that Go holds.
#   The tests count live handles themselves.
# detect_container_overflow: libtorch fills std::vector objects without the marks that the shim's own code would check.
# detect_odr_violation: the test program and libtorch both have the inline variables of libtorch's headers.
# handle_segv: Go turns a fault in Go code into a panic, and needs the signal.
export ASAN_OPTIONS=detect_leaks=0:detect_container_overflow=0:detect_odr_violation=0:handle_segv=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

packages=(./torch)
for word in "$@"; do
	if [[ $word == ./* ]]; then packages=(); fi
done
go test -asan -count=1 -timeout 90m "$@" "${packages[@]}"
echo "check_sanitizers: no finding"
