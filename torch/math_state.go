package torch

// #include <stdlib.h>
import "C"

import "unsafe"

// cublasWorkspace returns the setting of cuBLAS that deterministic engines put into the environment of the C library, where
// os.Getenv does not see it.
func cublasWorkspace() string {
	name := C.CString("CUBLAS_WORKSPACE_CONFIG")
	defer C.free(unsafe.Pointer(name))
	return C.GoString(C.getenv(name))
}
