package torch_test

import (
	"strings"
	"testing"

	"feddag/torch"
)

// TestKernelsCompile checks that the kernels compile for old and new GPUs, and that the error for an unknown one names it.
func TestKernelsCompile(t *testing.T) {
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if !info.CUDABuilt {
		t.Skip("this libtorch has no CUDA code")
	}
	for _, architecture := range []string{"sm_75", "sm_90", "sm_120"} {
		for _, p := range []torch.Precision{torch.FP32, torch.BF16} {
			n, err := torch.CompileKernels(architecture, p)
			if err != nil {
				t.Fatal(err)
			}
			if n < 10000 {
				t.Errorf("%s, %v: %d bytes", architecture, p, n)
			}
		}
	}
	if _, err := torch.CompileKernels("sm_20", torch.FP32); err == nil || !strings.Contains(err.Error(), "sm_20") {
		t.Errorf("an architecture of 2010: %v", err)
	}
}
