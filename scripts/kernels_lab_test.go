package scripts

import (
	"os"
	"os/exec"
	"testing"
)

// TestKernelsLab checks that every CUDA kernel compiles for three generations of GPUs without spills and without a stack, and
// that the kernels that multiply have the required share of multiply-adds in their main loops.
func TestKernelsLab(t *testing.T) {
	if _, err := os.Stat("../build/kernels-lab/venv/installed"); err != nil {
		t.Skip("the CUDA compiler is not installed: make kernels-lab")
	}
	if testing.Short() {
		t.Skip("compiling all kernels takes most of a minute")
	}
	if text, err := exec.Command("./kernels_lab.sh", "--check").CombinedOutput(); err != nil {
		t.Fatalf("kernels_lab.sh --check: %v\n%s", err, text)
	}
}

// TestStepTime checks that the predicted times of steps are within 30% of the times measured on an H100.
func TestStepTime(t *testing.T) {
	if _, err := os.Stat("../build/kernels-lab/venv/installed"); err != nil {
		t.Skip("the CUDA compiler is not installed: make kernels-lab")
	}
	if testing.Short() {
		t.Skip("compiling all kernels takes most of a minute")
	}
	predict := exec.Command("bash", "-ec", "./kernels_lab.sh --json --arch sm_90a --type f32 | ./step_time.py --check -")
	if text, err := predict.CombinedOutput(); err != nil {
		t.Fatalf("step_time.py --check: %v\n%s", err, text)
	}
}
