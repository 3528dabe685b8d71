package federationtest

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/similarity"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// The fixture: 8 clients in two groups that share no class, 4 classes of noisy 4x4 images, a network of a few weights.
const (
	Side    = 4
	Classes = 4
	perSet  = 24 // training samples of a client
)

func TinySet() *data.Set {
	r := rand.New(rand.NewPCG(1, 2))
	s := &data.Set{
		Name: "tiny", Channels: 1, Height: Side, Width: Side, Classes: Classes, Mean: []float32{0.5}, Std: []float32{0.5},
	}
	for _, split := range []struct {
		images *data.Images
		n      int
	}{{&s.Train, 8 * perSet}, {&s.Test, 10 * Classes}} {
		for i := range split.n {
			label := i % Classes
			for p := range Side * Side {
				bright := 40
				if p/Side == label {
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
func TinyPartition(s *data.Set) *partition.Partition {
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
			row := (i*perSet/Classes + k/2) % (s.Train.Len() / Classes)
			p.Shards[i].Train = append(p.Shards[i].Train, int32(row*Classes+2*g+k%2))
		}
	}
	return p
}

// tinyEnv is an environment for a few short rounds.
func TinyEnv(t *testing.T, workers int) *federation.Env {
	t.Helper()
	set := TinySet()
	shape := [3]int{1, Side, Side}
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
		layers := []torch.Layer{torch.Flatten{}, torch.Linear{Name: "fc1", In: Side * Side, Out: 6}, torch.ReLU{}}
		nets[dual], err = torch.NewNetwork(layers, shape, Classes, dual)
		must(err)
	}
	o := federation.DefaultOptions()
	o.Rounds, o.Rate, o.Seed, o.Epochs, o.Batch, o.LearningRate = 4, 0.5, 7, 2, 8, 0.1
	e := &federation.Env{
		Options: o, Data: set, Clients: federation.NewClients(TinyPartition(set)), Device: device, Workers: workers,
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
func Algorithm(t *testing.T, name string) federation.Algorithm {
	t.Helper()
	words := strings.Fields(name)
	a, err := federation.New(words[0])
	if err != nil {
		t.Fatal(err)
	}
	if flags := words[1:]; len(flags) > 0 {
		fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
		a.(federation.Flagger).Flags(fs)
		if err := fs.Parse(flags); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(a.Close)
	return a
}

// weights copies an algorithm's models to the host.
func Models(t *testing.T, a federation.Algorithm) map[string][]float32 {
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
type Silent struct{}

func (Silent) Phase(federation.Progress)                 {}
func (Silent) Weights(string, []torch.NamedTensor) error { return nil }
func (Silent) Clustered(*similarity.Result) error        { return nil }
func (Silent) Ready([]federation.Score) error            { return nil }
func (Silent) Round(federation.RoundResult) error        { return nil }

// mustRun runs an algorithm to its end.
func MustRun(t *testing.T, e *federation.Env, a federation.Algorithm, o federation.RunOptions) *federation.Result {
	t.Helper()
	r, err := federation.Run(context.Background(), e, a, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
