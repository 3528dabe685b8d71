package federation

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

// With one cluster and a common start, FedDAG* is FedAvg bit for bit.
func TestStarWithOneClusterIsFedAvg(t *testing.T) {
	want, _ := finished(t, "fedavg", 2, nil)
	e, a := tinyEnv(t, 2), algorithm(t, "feddag-star").(*FedDAG)
	a.Clustering.Choose, a.PrimaryInit = "count:1", "common"
	mustRun(t, e, a, RunOptions{})
	if !slices.Equal(weights(t, a)["cluster-0"], want["global"]) {
		t.Error("FedDAG* with one cluster differs from FedAvg")
	}
}

func TestPlantedGroupsAreFound(t *testing.T) {
	e, a := tinyEnv(t, 2), algorithm(t, "feddag-star").(*FedDAG)
	mustRun(t, e, a, RunOptions{})
	if c := a.Clusters(); len(c) != 2 || !slices.Equal(c[0], []int{0, 2, 4, 6}) || !slices.Equal(c[1], []int{1, 3, 5, 7}) {
		t.Errorf("clusters %v", c)
	}
}

// readied is FedDAG before round 0 on two clusters that learn from each other.
func readied(t *testing.T, change func(*Env, *FedDAG)) (*Env, *FedDAG) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, "feddag").(*FedDAG)
	a.Clustering.Choose = "count:2"
	e.Rate = 1
	if change != nil {
		change(e, a)
	}
	if err := errors.Join(a.Validate(), e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	return e, a
}

// A client's secondary encoder is, after its primary phase, that of the round's start, or, with the secondary phase first,
// that which came of it.
func TestPrimaryPhaseLeavesTheSecondaryAlone(t *testing.T) {
	for _, order := range []string{"parallel", "secondary-first"} {
		e, a := readied(t, func(_ *Env, a *FedDAG) { a.Order = order })
		r := a.net.Range(torch.Secondary)
		before := weights(t, a)
		report, err := a.Round(e, 0, e.cohort(0))
		if err != nil {
			t.Fatal(err)
		}
		after := weights(t, a)
		received := before
		if order == "secondary-first" {
			received = after
		}
		for _, l := range report.Trained {
			x, err := l.State.Floats()
			if err != nil {
				t.Fatal(err)
			}
			cluster := a.Models()[a.of[l.Client.ID]].Name
			if !slices.Equal(x[r.Begin:r.End], received[cluster][r.Begin:r.End]) {
				t.Errorf("%s, client %d: the primary phase moved the secondary encoder", order, l.Client.ID)
			}
			if slices.Equal(x[:r.Begin], before[cluster][:r.Begin]) {
				t.Errorf("%s, client %d: the primary phase left the primary encoder alone", order, l.Client.ID)
			}
			l.State.Close()
		}
		for name, x := range after {
			if slices.Equal(x[r.Begin:r.End], before[name][r.Begin:r.End]) {
				t.Errorf("%s, %s: the secondary phase moved nothing", order, name)
			}
		}
	}
}

// The warm head makes a cluster's model predict what the mean of the warm-up's single-encoder models predicts.
func TestWarmHeadStartsAtTheSingleEncoder(t *testing.T) {
	e, dual := readied(t, nil)
	_, copied := readied(t, func(_ *Env, a *FedDAG) { a.HeadInit, a.SecondaryInit = "both", "primary" })
	_, star := readied(t, func(_ *Env, a *FedDAG) { a.Variant = StarVariant })
	x, err := e.evaluate(dual, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	z, err := e.evaluate(copied, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	y, err := e.evaluate(star, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, y) || !slices.Equal(z, y) {
		t.Errorf("scores %v, with a copied secondary %v, single encoder %v", x, z, y)
	}
}

// The global secondary is the n_i-weighted mean of all clients' encoders after warm-up, the same in every cluster.
func TestGlobalSecondary(t *testing.T) {
	e, a := readied(t, func(_ *Env, a *FedDAG) { a.SecondaryInit = "global" })
	primary, secondary := a.net.Range(torch.Primary), a.net.Range(torch.Secondary)
	want, total := make([]float64, primary.Len()), 0.
	for z, members := range a.clusters { // a cluster's primary is the mean over its clients (eq. 22)
		n := 0.
		for _, i := range members {
			n += float64(e.Clients[i].Size())
		}
		for k, x := range weights(t, a)[clusterName(z)][primary.Begin:primary.End] {
			want[k] += n * float64(x)
		}
		total += n
	}
	for name, x := range weights(t, a) {
		for k, got := range x[secondary.Begin:secondary.End] {
			if math.Abs(float64(got)-want[k]/total) > 1e-6 {
				t.Fatalf("%s: weight %d of the secondary is %g, want %g", name, k, got, want[k]/total)
			}
		}
	}
}

// K:1 runs the secondary phase in every K-th round only.
func TestSchedule(t *testing.T) {
	e, a := readied(t, func(_ *Env, a *FedDAG) { a.Schedule = "2:1" })
	r := a.net.Range(torch.Secondary)
	for round, moves := range []bool{false, true, false, true} {
		before := weights(t, a)["cluster-0"][r.Begin:r.End]
		report, err := a.Round(e, round, e.cohort(round))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.State.Close()
		}
		if after := weights(t, a)["cluster-0"][r.Begin:r.End]; slices.Equal(before, after) == moves {
			t.Errorf("round %d: moved %v", round, !moves)
		}
	}
}

func TestLossThatIsNoNumber(t *testing.T) {
	for _, name := range Names() {
		e := tinyEnv(t, 2)
		e.LearningRate = 1e30
		_, err := Run(context.Background(), e, algorithm(t, name), RunOptions{Algorithm: name})
		if err == nil || !strings.Contains(err.Error(), "client ") || !strings.Contains(err.Error(), "--lr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for flag, change := range map[string]func(*Options){
		"--rate":         func(o *Options) { o.Rate = 0 },
		"--rate ":        func(o *Options) { o.Rate = 1.5 },
		"--epochs":       func(o *Options) { o.Epochs = 0 },
		"--batch":        func(o *Options) { o.Batch = -1 },
		"--momentum":     func(o *Options) { o.Momentum = 1 },
		"--weight-decay": func(o *Options) { o.WeightDecay = -1 },
		"--eval-every":   func(o *Options) { o.EvalEvery = 0 },
	} {
		o := DefaultOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(flag)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestSampling(t *testing.T) {
	e := tinyEnv(t, 1)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for rate, want := range map[float64]int{0.01: 1, 0.2: 2, 0.5: 4, 1: 8} {
		e.Rate = rate
		cohort := e.cohort(3)
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
	e := tinyEnv(t, 1)
	c := &Client{Test: []int32{0, 1, 4, 8}} // labels 0, 1, 0, 0
	predicted := make([]uint8, e.Data.Test.Len())
	predicted[1] = 1
	predicted[8] = 3
	// Class 0: two of three right; class 1: one of one.
	if s := e.score(c, predicted); s.Accuracy != 0.75 || math.Abs(s.Balanced-5./6) > 1e-12 {
		t.Errorf("%+v", s)
	}
	c.LabelMap = []uint8{3, 2, 1, 0}
	// Labels are 3, 2, 3, 3: only sample 8 is right.
	if s := e.score(c, predicted); s.Accuracy != 0.25 || math.Abs(s.Balanced-1./6) > 1e-12 {
		t.Errorf("mapped: %+v", s)
	}
}

func TestDamagedCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	if _, err := ReadCheckpoint(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	e, a := tinyEnv(t, 2), algorithm(t, "fedavg")
	e.Rounds = 1
	mustRun(t, e, a, RunOptions{Algorithm: "fedavg", Config: "one", Checkpoint: path})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 20, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	if err := os.WriteFile(path, whole, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, o := range []RunOptions{{Algorithm: "fedavg", Config: "another"}, {Algorithm: "feddag", Config: "one"}} {
		c, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		o.Resume, o.Checkpoint = c, path
		if _, err := Run(context.Background(), tinyEnv(t, 2), algorithm(t, o.Algorithm), o); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s, %s: %v", o.Algorithm, o.Config, err)
		}
	}
}
