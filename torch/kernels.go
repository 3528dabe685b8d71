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
