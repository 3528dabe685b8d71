package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/torch"
)

// benchEffects has the flags of bench that change the work or how it is computed.
var benchEffects = map[string]flagEffect{
	"model":     {"cnn", ""},
	"norm":      {"batch", "--model=resnet9 --clients=1 --samples=2"},
	"clients":   {"3", ""},
	"samples":   {"6", ""},
	"epochs":    {"2", ""},
	"batch":     {"5", ""},
	"lr":        {"0.1", ""},
	"ragged":    {"true", ""},
	"engine":    {"batched", ""},
	"precision": {"bf16", "--engine=batched"},
	"memory":    {"4MB", "--engine=batched --clients=3"},
}

// TestBenchFlagsHaveAnEffect checks that each of the flags changes the work or its result.
func TestBenchFlagsHaveAnEffect(t *testing.T) { checkEffects(t, benchEffects, benched) }

// benched returns the result of a turn of a tiny work, without the time, and the weights after it.
func benched(t *testing.T, flags ...string) string {
	t.Helper()
	b := &benchWork{}
	args := []string{"--device=cpu", "--clients=2", "--samples=8", "--batch=4"}
	if err := b.flags().Parse(append(args, flags...)); err != nil {
		t.Fatal(err)
	}
	if err := b.make(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state")
	var out bytes.Buffer
	if err := b.turns(strings.NewReader("turn\nstate "+file+"\n"), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var turn benchTurn
	if err := json.Unmarshal([]byte(strings.Split(out.String(), "\n")[1]), &turn); err != nil {
		t.Fatal(err)
	}
	turn.Seconds = 0
	return fmt.Sprintf("%+v %d images %s", turn, len(b.labels), mustRead(t, file))
}

// TestBenchWorkersAreThreads checks that bench starts as many threads as --workers says.
func TestBenchWorkersAreThreads(t *testing.T) {
	threads := func(workers string) (n int) {
		b := &benchWork{}
		if err := b.flags().Parse([]string{"--device=cpu", "--clients=1", "--samples=1", "--workers=" + workers}); err != nil {
			t.Fatal(err)
		}
		if err := b.make(); err != nil {
			t.Fatal(err)
		}
		// The input is read while the engine exists.
		if err := b.turns(readerFunc(func([]byte) (int, error) { n = threadCount(t); return 0, io.EOF }), io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		return n
	}
	checkThreads(t, threads)
}

// TestBenchDevice checks that bench refuses a GPU that does not exist.
func TestBenchDevice(t *testing.T) {
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if info.CUDADevices > 0 {
		t.Skip("this machine has a GPU")
	}
	checkFails(t, exitUsage, []string{"cuda", "--device cpu"}, "bench", "--clients=1", "--samples=1", "--device=cuda")
}

// readerFunc is a function that implements io.Reader.
type readerFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// checkThreads checks that there are about a hundred more threads with a hundred workers than with one.
func checkThreads(t *testing.T, threads func(workers string) int) {
	t.Helper()
	few, many := threads("1"), threads("101")
	if many-few < 90 {
		t.Errorf("%d threads with 101 workers, %d with 1", many, few)
	}
}

// threadCount returns the number of threads of this process, or skips the test if it is not known.
func threadCount(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skipf("the threads cannot be counted: %v", err)
	}
	return len(tasks)
}
