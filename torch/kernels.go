package torch

// #include <stdlib.h>
// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// CompileKernels compiles the kernels of the batched engine for a GPU architecture ("sm_90"), as the engine does when it
// starts on such a GPU, and returns the size of the code in bytes. It needs a CUDA build, but no GPU.
func CompileKernels(architecture string, p Precision) (bytes int64, err error) {
	if err := ready(); err != nil {
		return 0, err
	}
	name := C.CString(architecture)
	defer C.free(unsafe.Pointer(name))
	var n C.int64_t
	if err := failure(C.fd_kernels_compile(name, flag(p == BF16), &n)); err != nil {
		return 0, fmt.Errorf("the kernels for %s: %w", architecture, err)
	}
	return int64(n), nil
}

// emulateKernels makes the host run the kernels of the batched engine in a library that scripts/build_fibers.sh builds. Each
// thread is a fiber, the fibers run in an order drawn from seed, and their memory accesses are checked. The barrier without,
// such as "kernel_loss.h:61", is left out of the given kernel. An empty library ends the emulation. This function is for
// tests.
func emulateKernels(library string, seed uint64, kernel, without string) error {
	names := [3]*C.char{C.CString(library), C.CString(kernel), C.CString(without)}
	for _, name := range names {
		defer C.free(unsafe.Pointer(name))
	}
	return failure(C.fd_kernels_emulate(names[0], C.uint64_t(seed), names[1], names[2]))
}

// kernelFindings returns the names of the library's kernels, one per line, and a report of what has happened since
// emulateKernels, with lines "ran KERNEL", "barrier KERNEL FILE:LINE" and "finding TEXT".
func kernelFindings() (kernels, report string, err error) {
	var names, text *C.char
	if err := failure(C.fd_kernels_findings(&names, &text)); err != nil {
		return "", "", err
	}
	defer C.fd_free_message(names)
	defer C.fd_free_message(text)
	return C.GoString(names), C.GoString(text), nil
}

// cachedKernels returns the code that a cache folder of compiled kernels has for a name and a key. If the folder does not
// have it, cachedKernels stores the given code there and returns it, and made is true. This function is for tests.
func cachedKernels(folder, name, key, code string) (text string, made bool, err error) {
	words := [4]*C.char{C.CString(folder), C.CString(name), C.CString(key), C.CString(code)}
	for _, word := range words {
		defer C.free(unsafe.Pointer(word))
	}
	var n C.int
	var got *C.char
	if err := failure(C.fd_kernels_cached(words[0], words[1], words[2], words[3], &n, &got)); err != nil {
		return "", false, err
	}
	defer C.fd_free_message(got)
	return C.GoString(got), n != 0, nil
}
