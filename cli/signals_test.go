package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"feddag/report"
)

// TestSignalsWriteACheckpoint checks that after a signal of the batch system, or an interrupt, no round is lost that had no
// checkpoint yet.
func TestSignalsWriteACheckpoint(t *testing.T) {
	data := mnist(t)
	for _, signal := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGINT} {
		out := filepath.Join(t.TempDir(), "run")
		run := program(t, small(data, out, "--rounds", "100000", "--algorithm", "fedavg", "--quiet", "--checkpoint-every", "100000")...)
		waitForRounds(t, out, 2)
		run.Process.Signal(signal)
		run.Wait()
		if code := run.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%v: %v", signal, run.ProcessState)
		}
		rounds := bytes.Count(mustRead(t, out, report.MetricsFile), []byte("\n"))
		code, _, log := feddag("train", "--resume", out, "--rounds", strconv.Itoa(rounds), "--quiet=false")
		if want := fmt.Sprintf("continuing after %d rounds", rounds); code != exitDone || rounds < 2 || !strings.Contains(log, want) {
			t.Errorf("%v: exit code %d, want %q: %s", signal, code, want, log)
		}
	}
}

// TestSignalsOfABatchSystem checks that several signals of a batch system do not end the program at once, and that the runs
// of a comparison are patient.
func TestSignalsOfABatchSystem(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	send := func(ctx context.Context, signals ...syscall.Signal) {
		t.Helper()
		for _, signal := range signals {
			self.Signal(signal)
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				t.Fatalf("%v does not end the context", signal)
			}
			time.Sleep(20 * time.Millisecond) // so that a second signal arrives while the handler is active
		}
	}
	for _, first := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGXCPU} {
		ctx, stop := withSignals(t.Context(), false)
		send(ctx, first, syscall.SIGUSR1, syscall.SIGXCPU, syscall.SIGTERM)
		stop()
	}
	ctx, stop := withSignals(t.Context(), true)
	defer stop()
	send(ctx, syscall.SIGTERM, syscall.SIGTERM, syscall.SIGINT)
}
