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

// emulateKernels makes the host run the kernels of the batched engine in a library that scripts/build_fibers.sh builds:
// with a fiber for each thread, in an order drawn from seed, and a watch on their memory. The barrier named without, such as
// "kernel_loss.h:61", is left out of the kernel of the given name. An empty library ends this. It is for tests.
func emulateKernels(library string, seed uint64, kernel, without string) error {
	names := [3]*C.char{C.CString(library), C.CString(kernel), C.CString(without)}
	for _, name := range names {
		defer C.free(unsafe.Pointer(name))
	}
	return failure(C.fd_kernels_emulate(names[0], C.uint64_t(seed), names[1], names[2]))
}

// kernelFindings returns the names of the library's kernels, one per line, and what has happened since emulateKernels: lines
// "ran KERNEL", "barrier KERNEL FILE:LINE" and "finding TEXT".
func kernelFindings() (kernels, report string, err error) {
	var names, text *C.char
	if err := failure(C.fd_kernels_findings(&names, &text)); err != nil {
		return "", "", err
	}
	defer C.fd_free_message(names)
	defer C.fd_free_message(text)
	return C.GoString(names), C.GoString(text), nil
}

// cachedKernels returns the code that a folder of compiled kernels has under a name and a key, or else the given code, which
// it leaves there. made says whether the folder did not have it. It is for tests.
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
