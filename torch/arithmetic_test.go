package torch_test

import (
	"os"
	"os/exec"
	"testing"

	"feddag/torch"
)

// TestDeterministicReachesLibtorch checks that the engines make libtorch deterministic: the workspace that cuBLAS needs for
// this is set, also on the CPU. The setting persists until the process ends, so every case has its own process.
func TestDeterministicReachesLibtorch(t *testing.T) {
	const variable = "FEDDAG_TEST_DETERMINISTIC"
	if asked := os.Getenv(variable); asked != "" {
		a := torch.Arithmetic{Deterministic: asked != "off"}
		var err error
		if asked == "batched" {
			_, err = torch.NewBatched(torch.CPU, torch.BatchedOptions{Arithmetic: a})
		} else {
			_, err = torch.NewEngineWith(torch.CPU, 1, a)
		}
		if got := torch.CublasWorkspace(); err != nil || (got != "") != a.Deterministic {
			t.Errorf("%s: the workspace of cuBLAS is %q (%v)", asked, got, err)
		}
		return
	}
	for _, asked := range []string{"off", "serial", "batched"} {
		command := exec.Command(os.Args[0], "-test.run=^TestDeterministicReachesLibtorch$")
		command.Env = append(os.Environ(), variable+"="+asked)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", asked, err, out)
		}
	}
}
