package federationtest

import (
	"math/rand/v2"
	"os"
	"testing"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/models"
	"feddag/torch"
)

// The sizes of [TinySet] and [TinyPartition].
const (
	Side    = 4 // height and width of the images
	Classes = 4

	clients          = 8
	samplesPerClient = 24 // training samples of the data set per client, of which the partition uses 12 to 19
)

// TinySet returns a data set of noisy 4x4 images in 4 classes: row c of an image of class c is bright. It has 192 training and 40
// test images, whose classes alternate.
func TinySet() *data.Set {
	r := rand.New(rand.NewPCG(1, 2))
	s := &data.Set{
		Name: "tiny", Channels: 1, Height: Side, Width: Side, Classes: Classes, Mean: []float32{0.5}, Std: []float32{0.5},
	}
	for _, split := range []struct {
		images *data.Images
		n      int
	}{{&s.Train, clients * samplesPerClient}, {&s.Test, 10 * Classes}} {
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

// TinyPartition divides a [TinySet] between 8 clients. The clients with even ids hold classes 0 and 1 and are group 0; those with
// odd ids hold classes 2 and 3 and are group 1. Client i has 12 + i training samples and all test samples of its classes.
func TinyPartition(s *data.Set) *partition.Partition {
	p := &partition.Partition{Kind: "planted", DataSet: s.Name, Shards: make([]partition.Shard, clients), Groups: make([]int, clients)}
	for i := range p.Shards {
		g := i % 2
		p.Groups[i] = g
		for k, l := range s.Test.Labels {
			if int(l)/2 == g {
				p.Shards[i].Test = append(p.Shards[i].Test, int32(k))
			}
		}
		// The samples alternate between the two classes of the group and come from a part of the set that depends on the client.
		for k := range 12 + i {
			row := (i*samplesPerClient/Classes + k/2) % (s.Train.Len() / Classes)
			p.Shards[i].Train = append(p.Shards[i].Train, int32(row*Classes+2*g+k%2))
		}
	}
	return p
}

// TinyEnv returns an environment for a run of four short rounds on the CPU: the clients of [TinyPartition], half of whom are
// sampled in each round, and a network of a few weights. The caller may change it before the run. It is closed at the end of the
// test.
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
		nets[dual], err = tinyNet(shape, dual)
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

// modelVariable is the environment variable that names the model of [TinyEnv]; without it the model has a few weights.
const modelVariable = "FEDDAG_TEST_MODEL"

// UseModel makes [TinyEnv] use a registered model for the rest of a test. The model must accept 1x4x4 images.
func UseModel(t *testing.T, name string) { t.Setenv(modelVariable, name) }

// tinyNet returns the network of [TinyEnv].
func tinyNet(shape [3]int, dual bool) (*torch.Network, error) {
	if name := os.Getenv(modelVariable); name != "" {
		return models.New(name, shape, Classes, dual, models.Options{})
	}
	layers := []torch.Layer{torch.Flatten{}, torch.Linear{Name: "fc1", In: Side * Side, Out: 6}, torch.ReLU{}}
	return torch.NewNetwork(layers, shape, Classes, dual)
}
