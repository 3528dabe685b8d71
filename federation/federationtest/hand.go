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

// handEnv is small enough to compute by hand. Two clients, two classes, images of two pixels, and a linear model: class
// c has logit W_c x + b_c. Client 0 holds x = (1, 0) of class 0, once; client 1 holds x = (0, 2) of class 1, three times.
// One step of SGD at rate 1 on the whole client. Whoever starts at W = 0, b = 0 sees both classes at 1/2, so
//
//	client 0   dF/dW_0 = (1/2 - 1) x,  ends at W_0 = (1/2, 0),  b_0 =  1/2
//	client 1   dF/dW_0 = (1/2 - 0) x,  ends at W_0 = (0, -1),   b_0 = -1/2
//
// and class 1 always has the negative of class 0. What follows names W_0 and b_0 alone.
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

// linear is W_0 and b_0.
type Linear [3]float64

// vector lays a linear model out as a state: W_0, W_1, b_0, b_1.
func (l Linear) Vector() []float32 {
	return []float32{float32(l[0]), float32(l[1]), float32(-l[0]), float32(-l[1]), float32(l[2]), float32(-l[2])}
}

// σ is the logistic function: with both logits ±z, class 0 has the probability σ(2z).
func Logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// handCase is one round of an algorithm on [handEnv], and the models that it ends with by arithmetic on paper.
type HandCase struct {
	Name   string                                            // of the algorithm
	Start  []Linear                                          // of the models; zeros if missing
	Change func(*federation.Env, federation.Algorithm)       // before Init; nil for nothing
	Ready  func(*federation.Env, federation.Algorithm) error // after Init, with the models in place; nil for nothing
	Want   map[string]Linear
}

// run does the round and compares.
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
