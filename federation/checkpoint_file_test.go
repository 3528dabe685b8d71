package federation_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestDamagedCheckpoints checks that a missing, a truncated and an unsuitable checkpoint are errors that name the file.
func TestDamagedCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	if _, err := federation.ReadCheckpoint(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedavg")
	e.Rounds = 1
	federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "fedavg", Config: "one", Checkpoint: path})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 20, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := federation.ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	for _, at := range []int{bytes.Index(whole, []byte(`rounds\":`)) + 9, len(whole) - 1} { // a bit of a number, and of a weight
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1
		if err := os.WriteFile(path, flipped, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := federation.ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
			t.Errorf("byte %d of %d is changed: %v", at, len(whole), err)
		}
	}
	if err := os.WriteFile(path, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, o := range []federation.RunOptions{{Algorithm: "fedavg", Config: "another"}, {Algorithm: "feddag", Config: "one"}} {
		c, err := federation.ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		o.Resume, o.Checkpoint = c, path
		if _, err := federation.Run(context.Background(), federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, o.Algorithm), o); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s, %s: %v", o.Algorithm, o.Config, err)
		}
	}
}
