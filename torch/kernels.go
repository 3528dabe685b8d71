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
