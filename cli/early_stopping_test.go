package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestEarlyStoppingRun checks that a run whose loss cannot fall by the required amount ends early, gives the reason, and
// continues on request.
func TestEarlyStoppingRun(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	code, stdout, log := feddag(small(data, out, "--algorithm", "fedavg", "--rounds", "9", "--early-stopping", "2", "--early-stopping-min-delta", "100")...)
	if code != exitDone || !strings.Contains(stdout, `"rounds":3,"ended_by":"early-stopping"`) || !strings.Contains(stdout, "the training loss no longer fell") {
		t.Fatalf("exit code %d: %s\n%s", code, stdout, log)
	}
	if code, stdout, log = feddag("train", "--resume", out); code != exitDone || !strings.Contains(stdout, `"rounds":3,"ended_by":"early-stopping"`) {
		t.Errorf("resumed: exit code %d: %s\n%s", code, stdout, log)
	}
	if code, stdout, log = feddag("train", "--resume", out, "--early-stopping", "0", "--rounds", "4"); code != exitDone || !strings.Contains(stdout, `"rounds":4,"ended_by":"rounds"`) {
		t.Errorf("told to go on: exit code %d: %s\n%s", code, stdout, log)
	}
	if code, _, log = feddag("compare", "--algorithms", "fedavg", "--early-stopping", "2"); code != exitUsage || !strings.Contains(log, "same number of rounds") {
		t.Errorf("compare: exit code %d: %s", code, log)
	}
}
