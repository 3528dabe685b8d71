package torch

// For the tests of package torch_test.
var (
	CachedKernels   = cachedKernels
	CublasWorkspace = cublasWorkspace
	EmulateKernels  = emulateKernels
	KernelFindings  = kernelFindings
)
