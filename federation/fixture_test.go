package federation

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/similarity"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// The fixture: 8 clients in two groups that share no class, 4 classes of noisy 4x4 images, a network of a few weights.
const (
	side    = 4
	classes = 4
	perSet  = 24 // training samples of a client
)

func tinySet() *data.Set {
	r := rand.New(rand.NewPCG(1, 2))
	s := &data.Set{
		Name: "tiny", Channels: 1, Height: side, Width: side, Classes: classes, Mean: []float32{0.5}, Std: []float32{0.5},
	}
	for _, split := range []struct {
		images *data.Images
		n      int
	}{{&s.Train, 8 * perSet}, {&s.Test, 10 * classes}} {
		for i := range split.n {
			label := i % classes
			for p := range side * side {
				bright := 40
				if p/side == label {
					bright = 200
				}
				split.images.Pixels = append(split.images.Pixels, byte(bright+r.IntN(50)))
			}
			split.images.Labels = append(split.images.Labels, uint8(label))
		}
	}
	return s
}

// tinyPartition gives the even clients classes 0 and 1, the odd ones 2 and 3; client i has 12 + i of its samples.
func tinyPartition(s *data.Set) *partition.Partition {
	p := &partition.Partition{Kind: "planted", DataSet: s.Name, Shards: make([]partition.Shard, 8), Groups: make([]int, 8)}
	for i := range p.Shards {
		g := i % 2
		p.Groups[i] = g
		for k, l := range s.Test.Labels {
			if int(l)/2 == g {
				p.Shards[i].Test = append(p.Shards[i].Test, int32(k))
			}
		}
		// Both classes of the group, in turn, from a corner of the set that is the client's own.
		for k := range 12 + i {
			row := (i*perSet/classes + k/2) % (s.Train.Len() / classes)
			p.Shards[i].Train = append(p.Shards[i].Train, int32(row*classes+2*g+k%2))
		}
	}
	return p
}

// tinyEnv is an environment for a few short rounds.
func tinyEnv(t *testing.T, workers int) *Env {
	t.Helper()
	set := tinySet()
	shape := [3]int{1, side, side}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	device, err := torch.ParseDevice("cpu")
	must(err)
	nets := map[bool]*torch.Network{}
	for _, dual := range []bool{false, true} {
		layers := []torch.Layer{torch.Flatten{}, torch.Linear{Name: "fc1", In: side * side, Out: 6}, torch.ReLU{}}
		nets[dual], err = torch.NewNetwork(layers, shape, classes, dual)
		must(err)
	}
	o := DefaultOptions()
	o.Rounds, o.Rate, o.Seed, o.Epochs, o.Batch, o.LearningRate = 4, 0.5, 7, 2, 8, 0.1
	e := &Env{
		Options: o, Data: set, Clients: NewClients(tinyPartition(set)), Device: device, Workers: workers,
		Net: func(dual bool) (*torch.Network, error) { return nets[dual], nil },
	}
	e.Train, err = torch.NewImages(device, set.Train.Pixels, shape, set.Train.Labels, set.Mean, set.Std)
	must(err)
	t.Cleanup(e.Train.Close)
	e.Test, err = torch.NewImages(device, set.Test.Pixels, shape, set.Test.Labels, set.Mean, set.Std)
	must(err)
	t.Cleanup(e.Test.Close)
	engine, err := torch.NewEngine(device, workers)
	must(err)
	e.Executor = engine
	t.Cleanup(engine.Close)
	return e
}

// algorithm makes a registered algorithm, whose name may have flags after it, and closes it after the test.
func algorithm(t *testing.T, name string) Algorithm {
	t.Helper()
	words := strings.Fields(name)
	a, err := New(words[0])
	if err != nil {
		t.Fatal(err)
	}
	if flags := words[1:]; len(flags) > 0 {
		fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
		a.(Flagger).Flags(fs)
		if err := fs.Parse(flags); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(a.Close)
	return a
}

// weights copies an algorithm's models to the host.
func weights(t *testing.T, a Algorithm) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, m := range a.Models() {
		x, err := m.State.Floats()
		if err != nil {
			t.Fatal(err)
		}
		all[m.Name] = x
	}
	return all
}

// silent is an observer that only listens.
type silent struct{}

func (silent) Phase(Progress)                            {}
func (silent) Weights(string, []torch.NamedTensor) error { return nil }
func (silent) Clustered(*similarity.Result) error        { return nil }
func (silent) Ready([]Score) error                       { return nil }
func (silent) Round(RoundResult) error                   { return nil }

// mustRun runs an algorithm to its end.
func mustRun(t *testing.T, e *Env, a Algorithm, o RunOptions) *Result {
	t.Helper()
	r, err := Run(context.Background(), e, a, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
