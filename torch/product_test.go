package torch_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestProductsOnFibers checks that the matrix instructions of kernel_warp.h give the plain product of rounded operands on
// fibers, that copies arrive, and that fibers report wrong uses of both, in several orders of the threads.
func TestProductsOnFibers(t *testing.T) {
	program := fiberProgram(t, "product_kernels.cc")
	for _, c := range []struct {
		kernel, k string
		finding   string // what a finding contains; empty if there is none
	}{
		{"product_tf32", "8", ""},
		{"product_bf16", "16", ""},
		{"product_of_some", "", "some threads wait in a "},
		{"product_of_the_rest", "", "20 threads of a warp wait in a product of tf32, the others have ended"},
		{"product_not_rounded", "", "is not rounded to tf32"},
		{"product_no_barrier", "", "with no barrier between"},
		{"copies_right", "0", ""},
		{"copies_early", "", "with no barrier between"},
		{"copies_alone", "", "shared word"},
		{"copies_askew", "", "accesses 16 bytes at a wrong address"},
		{"copies_left", "", "has ended without waiting for its copies"},
	} {
		for _, seed := range []string{"1", "2", "3"} {
			text, err := exec.Command(program, c.kernel+"_f32", seed, max(c.k, "0")).Output()
			if err != nil {
				t.Fatalf("%s: %v", c.kernel, err)
			}
			off, report, _ := strings.Cut(string(text), "\n")
			found := strings.Contains(report, "finding ")
			if found != (c.finding != "") || !strings.Contains(report, c.finding) {
				t.Errorf("%s, seed %s: want a finding with %q, got:\n%s", c.kernel, seed, c.finding, report)
			}
			if worst, err := strconv.ParseFloat(off, 64); c.k != "" && !(err == nil && worst <= 2e-6) {
				t.Errorf("%s, seed %s: differs by %s from a plain product", c.kernel, seed, off)
			}
		}
	}
}
