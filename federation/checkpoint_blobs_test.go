package federation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBlobs checks that a blob is written only if it has changed, that its old file is removed after the checkpoint lists the
// new one, and that a damaged or missing file is an error.
func TestBlobs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint[", "last.safetensors") // a name that is not a valid pattern
	save := func(blob string) string {
		t.Helper()
		c := &Checkpoint{Ledger: NewLedger(1), Best: make([]PrePost, 1), Last: make([]PrePost, 1), blobs: map[string][]byte{"roster": []byte(blob)}}
		if err := c.write(path); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(files) != 2 || files[0].Name() != filepath.Base(path) {
			t.Fatalf("files %v (%v)", files, err)
		}
		return filepath.Join(filepath.Dir(path), files[1].Name())
	}
	first := save("one")
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if again := save("one"); again != first {
		t.Errorf("the same blob is in %s and %s", first, again)
	}
	if after, err := os.Stat(first); err != nil || !os.SameFile(before, after) {
		t.Errorf("an unchanged blob was written again (%v)", err)
	}
	// A process that was killed while it wrote a blob leaves this file.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".roster-0123456789abcdef.bin.4711.tmp"), []byte("hal"), 0o666); err != nil {
		t.Fatal(err)
	}
	second := save("two")
	if second == first {
		t.Error("a changed blob is in the same file")
	}
	if c, err := ReadCheckpoint(path); err != nil || string(c.blobs["roster"]) != "two" {
		t.Errorf("read %+v (%v)", c, err)
	}
	if err := os.WriteFile(second, []byte("twu"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), filepath.Base(second)+" is damaged") {
		t.Errorf("damaged blob: %v", err)
	}
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), filepath.Base(second)) {
		t.Errorf("missing blob: %v", err)
	}
}
