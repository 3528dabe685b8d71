package torch

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestKernelNames checks that the kernels of each BLAS are named from the descriptions of libtorch and of the BLAS.
func TestKernelNames(t *testing.T) {
	const mkl = "PyTorch built with:\n  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605 for Intel(R) 64\n  - CPU capability usage: AVX512\n"
	const debian = "PyTorch built with:\n  - CPU capability usage: AVX2\n  - Build settings: BLAS_INFO=generic\n"
	for _, c := range []struct {
		config, openBLAS, cbwr, file string
		isa                          int
		kernel, simd                 string
	}{
		{debian, "OpenBLAS 0.3.21 Zen", "", "/usr/lib/libblas.so.3", 0x7, "OpenBLAS 0.3.21 Zen", "AVX2, oneDNN AVX2"},
		{debian, "", "", "/usr/lib/libblas.so.3", 0x27, "libblas.so.3", "AVX2, oneDNN AVX512"},
		{mkl, "", "", "inside libtorch", 0, "MKL 2024.2", "AVX512"},
		{mkl, "OpenBLAS 0.3.21 Zen", "AVX2", "inside libtorch", 0x1fef, "MKL 2024.2 MKL_CBWR=AVX2", "AVX512, oneDNN AVX512 AMX"},
		{"", "", "", "inside libtorch", 0x10, "inside libtorch", ""},
	} {
		if got := blasKernel(c.config, c.openBLAS, c.cbwr, c.file); got != c.kernel {
			t.Errorf("the BLAS is named %q, want %q", got, c.kernel)
		}
		if got := simdSets(c.config, c.isa); got != c.simd {
			t.Errorf("the instruction sets are named %q, want %q", got, c.simd)
		}
	}
}

// TestDescribeNamesTheKernel checks that Describe names the kernel that is used. It changes the kernel with
// OPENBLAS_CORETYPE, which OpenBLAS reads when it is loaded.
func TestDescribeNamesTheKernel(t *testing.T) {
	if os.Getenv("FEDDAG_PRINT_KERNEL") != "" {
		info, err := Describe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("kernel: " + info.BLASKernel + "\n")
		return
	}
	info, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(info.BLASKernel, "OpenBLAS ") {
		t.Skipf("the BLAS is %s, whose kernels OPENBLAS_CORETYPE does not choose", info.BLASKernel)
	}
	command := exec.Command(os.Args[0], "-test.run=^TestDescribeNamesTheKernel$")
	command.Env = append(os.Environ(), "FEDDAG_PRINT_KERNEL=1", "OPENBLAS_CORETYPE=Prescott")
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Prescott") {
		t.Errorf("with OPENBLAS_CORETYPE=Prescott: %v\n%s", err, out)
	}
}
