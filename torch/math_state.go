package torch

// #include <stdlib.h>
import "C"

import "unsafe"

// cublasWorkspace returns the setting of cuBLAS that deterministic engines make in the environment of the C library, which
// os.Getenv does not see.
func cublasWorkspace() string {
	name := C.CString("CUBLAS_WORKSPACE_CONFIG")
	defer C.free(unsafe.Pointer(name))
	return C.GoString(C.getenv(name))
}
