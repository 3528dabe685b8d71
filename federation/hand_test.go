package federation

import (
	"context"
	"errors"
	"math"
	"testing"

	"feddag/federation/data"
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
func handEnv(t *testing.T) *Env {
	t.Helper()
	images := data.Images{Pixels: []byte{1, 0, 0, 2, 0, 2, 0, 2}, Labels: []uint8{0, 1, 1, 1}}
	set := &data.Set{
		Name: "hand", Channels: 1, Height: 1, Width: 2, Classes: 2, Mean: []float32{0}, Std: []float32{1. / 255},
		Train: images, Test: images,
	}
	p := &data.Partition{Kind: "hand", DataSet: set.Name, Groups: []int{0, 1}, Shards: []data.Shard{
		{Train: []int32{0}, Test: []int32{0}}, {Train: []int32{1, 2, 3}, Test: []int32{1, 2, 3}},
	}}
	shape := [3]int{1, 1, 2}
	net, err := torch.NewNetwork([]torch.Layer{torch.Flatten{}}, shape, 2, false)
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Rounds, o.Rate, o.Epochs, o.Batch, o.LearningRate, o.Momentum, o.WeightDecay = 1, 1, 1, 10, 1, 0, 0
	e := &Env{Options: o, Data: set, Clients: NewClients(p), Workers: 1, Net: func(bool) (*torch.Network, error) { return net, nil }}
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
type linear [3]float64

// vector lays a linear model out as a state: W_0, W_1, b_0, b_1.
func (l linear) vector() []float32 {
	return []float32{float32(l[0]), float32(l[1]), float32(-l[0]), float32(-l[1]), float32(l[2]), float32(-l[2])}
}

// self lets a test reach the bank of any method that has one.
func (b *bank) self() *bank { return b }

// σ is the logistic function: with both logits ±z, class 0 has the probability σ(2z).
func σ(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func TestRoundsByHand(t *testing.T) {
	for _, c := range []struct {
		name   string
		start  []linear // of the models; zeros if missing
		change func(*Env, Algorithm)
		ready  func(*Env, Algorithm) error // with the models in place
		want   map[string]linear
	}{
		// The mean with n_i = 1 and 3.
		{name: "fedavg", want: map[string]linear{"global": {.125, -.75, -.25}}},
		// Two steps. In the second client 0 has the logits ±1, client 1 ±(-2.5), and µ = 1/2 draws each back half the way
		// it went.
		{
			name:   "fedprox",
			change: func(e *Env, a Algorithm) { e.Epochs, a.(*FedProx).Mu = 2, 0.5 },
			want: map[string]linear{"global": {
				.25 * (.5 + σ(-2) - .25), .75 * (-1 - 2*σ(-5) + .5), .25*(.5+σ(-2)-.25) + .75*(-.5-σ(-5)+.25),
			}},
		},
		{name: "oracle", want: map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
		// The mean with both clients alike.
		{name: "cfl", want: map[string]linear{"cluster-0": {.25, -.5, 0}}},
		// The images are at 90 degrees: two clusters.
		{
			name:   "pacfl",
			change: func(_ *Env, a Algorithm) { a.(*PACFL).Choose = "fixed:45" },
			want:   map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// Model 0 sees class 0 at σ(0.2) > 1/2 everywhere, model 1 at less: client 0 chooses model 0, client 1 model 1. The
		// probability of the wrong class is σ(-0.2) for both.
		{
			name:   "ifca",
			start:  []linear{{0, 0, .1}, {0, 0, -.1}},
			change: func(_ *Env, a Algorithm) { a.(*IFCA).K, a.(*IFCA).Redraw = 2, false },
			want:   map[string]linear{"cluster-0": {σ(-.2), 0, .1 + σ(-.2)}, "cluster-1": {0, -2 * σ(-.2), -.1 - σ(-.2)}},
		},
		// The gradients at W = 0 differ: two clusters.
		{
			name:   "cfl-gp",
			change: func(_ *Env, a Algorithm) { a.(*CFLGP).K, a.(*CFLGP).Coordinates = 2, 1 },
			want:   map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// No split in one round: FedAvg.
		{name: "fedgwc", want: map[string]linear{"cluster-0": {.125, -.75, -.25}}},
		// Both are chosen: FedAvg.
		{name: "fblg", want: map[string]linear{"global": {.125, -.75, -.25}}},
		// Client 0's only sample votes for centre 0, all three of client 1 for centre 1, so u is (1, s) and (s, 1) with s =
		// 0.5. The mixtures are b = ±m with m = (0.1 - 0.1 s)/(1 + s), where the proximal term is 0 and the wrong class has
		// q = σ(-2m). A centre is the mean with weights u n: 1 and 3s, s and 3.
		{
			name:  "fedsoft",
			start: []linear{{0, 0, .1}, {0, 0, -.1}},
			change: func(_ *Env, a Algorithm) {
				s := a.(*FedSoft)
				s.K, s.Sigma, s.Everyone = 2, 0.5, true
			},
			ready: func(e *Env, a Algorithm) error { return a.(*FedSoft).estimate(e.Present()) },
			want: func() map[string]linear {
				m := .05 / 1.5
				q := σ(-2 * m)
				mean := func(u, v float64) linear {
					return linear{u * q / (u + v), -2 * v * q / (u + v), (u - v) / (u + v) * (m + q)}
				}
				return map[string]linear{"cluster-0": mean(1, 1.5), "cluster-1": mean(.5, 3)}
			}(),
		},
		// Model 0 gives class 0 the probability p = σ(0.2), model 1 gives it 1-p. So γ is (p, 1-p) for client 0, (1-p, p) for
		// client 1, and every weighted gradient has p(1-p) in the place of 1/2.
		{
			name:   "fedrc",
			start:  []linear{{0, 0, .1}, {0, 0, -.1}},
			change: func(_ *Env, a Algorithm) { a.(*FedRC).K = 2 },
			want: func() map[string]linear {
				q := σ(.2) * σ(-.2)
				return map[string]linear{"cluster-0": {.25 * q, -1.5 * q, .1 - .5*q}, "cluster-1": {.25 * q, -1.5 * q, -.1 - .5*q}}
			}(),
		},
		// One batch is D and D': the inner step goes to the end of plain training, where the wrong class has σ(-2) at client
		// 0, σ(-5) at client 1; the outer step, β = 2α, goes from 0 twice along the gradients there.
		{
			name:   "per-fedavg",
			change: func(_ *Env, a Algorithm) { a.(*PerFedAvg).SecondOrder = false },
			want:   map[string]linear{"global": {2 * .25 * σ(-2), 2 * -1.5 * σ(-5), 2 * (.25*σ(-2) - .75*σ(-5))}},
		},
		// λ = 1/2 with the one item x̄ = (1, 1), ȳ = (1/2, 1/2), which at W = 0 has no gradient of its own. Client 0: x~ = (1/2,
		// 0), so -dW_0 = 1/2 1/2 x~ + 1/4 1/2 x̄ = (1/4, 1/8), -db_0 = 1/4; client 1: x~ = (0, 1), dW_0 = (1/8, 3/8), db_0 = 1/4.
		{
			name:   "fedmix",
			change: func(_ *Env, a Algorithm) { a.(*FedMix).Lambda = 0.5 },
			ready: func(_ *Env, a Algorithm) error {
				m := a.(*FedMix)
				vectors{m.images, m.labels}.Close()
				return m.hold([]float32{1, 1}, []float32{.5, .5})
			},
			want: map[string]linear{"global": {.25*.25 - .75*.125, .25*.125 - .75*.375, .25*.25 - .75*.25}},
		},
		// Two steps with the one pseudo-image (1, 1), which should be either class alike: nothing at W = 0, but in the second
		// step its logits are ±1 at client 0, ±(-1.5) at client 1. The features are the pixels: the contrast moves P alone.
		{
			name:   "fedbr",
			change: func(e *Env, a Algorithm) { e.Epochs = 2 },
			ready: func(_ *Env, a Algorithm) error {
				m := a.(*FedBR)
				p, err := m.projection.Floats()
				vectors{m.pseudo, m.projection}.Close()
				return errors.Join(err, m.hold([]float32{1, 1}, p))
			},
			want: func() map[string]linear {
				p, q := σ(2)-.5, σ(-3)-.5
				return map[string]linear{"global": {
					.25*(.5+σ(-2)-p) + .75*(-q), .25*(-p) + .75*(-1-2*σ(-5)-q), .25*(.5+σ(-2)-p) + .75*(-.5-σ(-5)-q),
				}}
			}(),
		},
		{name: "local", want: map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := handEnv(t), algorithm(t, c.name)
			if c.change != nil {
				c.change(e, a)
			}
			if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
				t.Fatal(err)
			}
			b := a.(interface{ self() *bank }).self()
			var start vectors
			for z := range b.states {
				var model linear
				if z < len(c.start) {
					model = c.start[z]
				}
				v, err := torch.VectorOf(e.Device, model.vector())
				if err != nil {
					t.Fatal(err)
				}
				start = append(start, v)
			}
			b.take(start)
			if c.ready != nil {
				if err := c.ready(e, a); err != nil {
					t.Fatal(err)
				}
			}
			cohort, err := e.participants(a, 0)
			if err != nil {
				t.Fatal(err)
			}
			report, err := a.Round(e, 0, cohort)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range report.Trained {
				l.close()
			}
			got := weights(t, a)
			if len(got) != len(c.want) {
				t.Fatalf("%d models, want %d", len(got), len(c.want))
			}
			for name, want := range c.want {
				for i, w := range want.vector() {
					if math.Abs(float64(got[name][i]-w)) > 1e-6 {
						t.Fatalf("%s: %v, want %v", name, got[name], want.vector())
					}
				}
			}
		})
	}
}
