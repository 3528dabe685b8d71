package torch

// For the tests of package torch_test.
var (
	CachedKernels  = cachedKernels
	EmulateKernels = emulateKernels
	KernelFindings = kernelFindings
)
