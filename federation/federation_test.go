package federation_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

func TestBadOptions(t *testing.T) {
	for flag, change := range map[string]func(*federation.Options){
		"--rate":         func(o *federation.Options) { o.Rate = 0 },
		"--rate ":        func(o *federation.Options) { o.Rate = 1.5 },
		"--epochs":       func(o *federation.Options) { o.Epochs = 0 },
		"--batch":        func(o *federation.Options) { o.Batch = -1 },
		"--momentum":     func(o *federation.Options) { o.Momentum = 1 },
		"--weight-decay": func(o *federation.Options) { o.WeightDecay = -1 },
		"--eval-every":   func(o *federation.Options) { o.EvalEvery = 0 },
	} {
		o := federation.DefaultOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(flag)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestSampling(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for rate, want := range map[float64]int{0.01: 1, 0.2: 2, 0.5: 4, 1: 8} {
		e.Rate = rate
		cohort := e.Sample(3)
		if len(cohort) != want {
			t.Errorf("rate %g samples %d of 8 clients, want %d", rate, len(cohort), want)
		}
		for i := 1; i < len(cohort); i++ {
			if cohort[i-1].ID >= cohort[i].ID {
				t.Errorf("rate %g: not ascending, or twice", rate)
			}
		}
	}
}

func TestBalancedAccuracy(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	c := &federation.Client{Test: []int32{0, 1, 4, 8}} // labels 0, 1, 0, 0
	predicted := make([]uint8, e.Data.Test.Len())
	predicted[1] = 1
	predicted[8] = 3
	// Class 0: two of three right; class 1: one of one.
	if s := e.Score(c, predicted); s.Accuracy != 0.75 || math.Abs(s.Balanced-5./6) > 1e-12 {
		t.Errorf("%+v", s)
	}
	c.LabelMap = []uint8{3, 2, 1, 0}
	// Labels are 3, 2, 3, 3: only sample 8 is right.
	if s := e.Score(c, predicted); s.Accuracy != 0.25 || math.Abs(s.Balanced-1./6) > 1e-12 {
		t.Errorf("mapped: %+v", s)
	}
}

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
