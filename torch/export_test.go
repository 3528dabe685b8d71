package torch

// Functions that are exported for the tests in package torch_test.
var (
	CachedKernels   = cachedKernels
	CublasWorkspace = cublasWorkspace
	EmulateKernels  = emulateKernels
	KernelFindings  = kernelFindings
)
