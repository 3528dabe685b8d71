package federationtest

import (
	"context"
	"errors"
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/torch"
)

// HandEnv returns an environment that is small enough for computations by hand. It has two clients, two classes, images of two
// pixels, and a linear model in which class c has the logit W_c x + b_c. Client 0 holds the image x = (1, 0) of class 0 once;
// client 1 holds the image x = (0, 2) of class 1 three times. Local training is one step of SGD with learning rate 1 on all
// samples of the client. From W = 0 and b = 0, both classes have the probability 1/2, so
//
//	client 0   dF/dW_0 = (1/2 - 1) x,  ends at W_0 = (1/2, 0),  b_0 =  1/2
//	client 1   dF/dW_0 = (1/2 - 0) x,  ends at W_0 = (0, -1),   b_0 = -1/2
//
// and the weights of class 1 are always the negatives of those of class 0. [Linear] therefore has only W_0 and b_0.
func HandEnv(t *testing.T) *federation.Env {
	t.Helper()
	images := data.Images{Pixels: []byte{1, 0, 0, 2, 0, 2, 0, 2}, Labels: []uint8{0, 1, 1, 1}}
	set := &data.Set{
		Name: "hand", Channels: 1, Height: 1, Width: 2, Classes: 2, Mean: []float32{0}, Std: []float32{1. / 255},
		Train: images, Test: images,
	}
	p := &partition.Partition{Kind: "hand", DataSet: set.Name, Groups: []int{0, 1}, Shards: []partition.Shard{
		{Train: []int32{0}, Test: []int32{0}}, {Train: []int32{1, 2, 3}, Test: []int32{1, 2, 3}},
	}}
	shape := [3]int{1, 1, 2}
	net, err := torch.NewNetwork([]torch.Layer{torch.Flatten{}}, shape, 2, false)
	if err != nil {
		t.Fatal(err)
	}
	o := federation.DefaultOptions()
	o.Rounds, o.Rate, o.Epochs, o.Batch, o.LearningRate, o.Momentum, o.WeightDecay = 1, 1, 1, 10, 1, 0, 0
	e := &federation.Env{Options: o, Data: set, Clients: federation.NewClients(p), Workers: 1, Net: func(bool) (*torch.Network, error) { return net, nil }}
	for _, on := range []**torch.Images{&e.Train, &e.Test} {
		if *on, err = torch.NewImages(e.Device, images.Pixels, shape, images.Labels, set.Mean, set.Std); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*on).Close)
	}
	engine, err := torch.NewEngine(e.Device, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	e.Executor = engine
	return e
}

// Linear is a model of [HandEnv]: the two elements of W_0, and b_0.
type Linear [3]float64

// Vector returns the weights of the model in the order of the network: W_0, W_1, b_0, b_1.
func (l Linear) Vector() []float32 {
	return []float32{float32(l[0]), float32(l[1]), float32(-l[0]), float32(-l[1]), float32(l[2]), float32(-l[2])}
}

// Logistic returns σ(z) = 1 / (1 + exp(-z)). With the logits z and -z, class 0 has the probability σ(2z).
func Logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// HandCase is one round of an algorithm in [HandEnv] and the models after it, computed by hand.
type HandCase struct {
	Name   string                                            // registered name of the algorithm, and flags: see [Algorithm]
	Start  []Linear                                          // models before the round; those that are missing are zero
	Change func(*federation.Env, federation.Algorithm)       // called before Init; may be nil
	Ready  func(*federation.Env, federation.Algorithm) error // called after Init, when the models are set; may be nil
	Want   map[string]Linear                                 // models after the round, by name
}

// Run does the round and compares the models with Want, to within 1e-6. The algorithm must have a method Replace that sets its
// models.
func (c HandCase) Run(t *testing.T) {
	e, a := HandEnv(t), Algorithm(t, c.Name)
	if c.Change != nil {
		c.Change(e, a)
	}
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	var start torch.Vectors
	for z := range a.Models() {
		var model Linear
		if z < len(c.Start) {
			model = c.Start[z]
		}
		v, err := torch.VectorOf(e.Device, model.Vector())
		if err != nil {
			t.Fatal(err)
		}
		start = append(start, v)
	}
	a.(interface{ Replace(torch.Vectors) }).Replace(start)
	if c.Ready != nil {
		if err := c.Ready(e, a); err != nil {
			t.Fatal(err)
		}
	}
	cohort, err := e.Participants(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	report, err := a.Round(e, 0, cohort)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Trained {
		l.Close()
	}
	got := Models(t, a)
	if len(got) != len(c.Want) {
		t.Fatalf("%d models, want %d", len(got), len(c.Want))
	}
	for name, want := range c.Want {
		for i, w := range want.Vector() {
			if math.Abs(float64(got[name][i]-w)) > 1e-6 {
				t.Fatalf("%s: %v, want %v", name, got[name], want.Vector())
			}
		}
	}
}
