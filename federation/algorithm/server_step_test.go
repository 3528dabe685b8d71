package algorithm_test

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// server returns a change of an environment: the named server optimiser with large rates, because a tiny run is short.
func server(name string) func(*federation.Env) {
	return func(e *federation.Env) { e.Server.Name, e.Server.LearningRate = name, 0.5 }
}

// TestServerStepsByHand checks two steps of every optimiser on a weight of 1 with Δ = 0.3 and then Δ = -0.1, by the equations of
// [federation.ServerOptimizer] with η = 0.5, β = 0.9, β1 = 0.8, β2 = 0.75 and τ = 0.5.
func TestServerStepsByHand(t *testing.T) {
	e := federationtest.HandEnv(t)
	net, err := e.Net(false)
	if err != nil {
		t.Fatal(err)
	}
	vector := func(x float32) *torch.Vector {
		v, err := torch.VectorOf(e.Device, slices.Repeat([]float32{x}, net.Len()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v
	}
	// Initially v is 0.25, and the squares of Δ are 0.09 and 0.01.
	step := func(m, v float64) float64 { return 0.5 * m / (math.Sqrt(v) + 0.5) }
	m1, m2 := 0.2*0.3, 0.8*0.2*0.3-0.2*0.1
	for name, want := range map[string][2]float64{
		federation.ServerMomentum: {0.5 * 0.3, 0.5 * (0.9*0.3 - 0.1)},
		federation.ServerAdam:     {step(m1, 0.75*0.25+0.25*0.09), step(m2, 0.75*(0.75*0.25+0.25*0.09)+0.25*0.01)},
		federation.ServerYogi:     {step(m1, 0.25-0.25*0.09), step(m2, 0.25-0.25*0.09-0.25*0.01)},
		federation.ServerAdagrad:  {step(m1, 0.34), step(m2, 0.35)},
	} {
		o := federation.ServerOptimizer{Name: name, LearningRate: 0.5, Momentum: 0.9, Beta1: 0.8, Beta2: 0.75, Tau: 0.5}
		var s *algorithm.ServerState
		at := 1.0
		for k, delta := range []float64{0.3, -0.1} {
			from, mean := vector(float32(at)), vector(float32(at+delta))
			if s, err = algorithm.StepServer(o, from, mean, s, net.Trained(torch.All)...); err != nil {
				t.Fatal(err)
			}
			x, err := mean.Floats()
			if err != nil {
				t.Fatal(err)
			}
			at += want[k]
			if slices.Min(x) != slices.Max(x) || math.Abs(float64(x[0])-at) > 1e-6 {
				t.Errorf("%s: step %d leads to %v, want %v", name, k+1, x, at)
			}
		}
	}
	// Yogi's v rises towards a larger square.
	o := federation.ServerOptimizer{Name: federation.ServerYogi, LearningRate: 1, Beta2: 0.75, Tau: 0.5}
	mean := vector(2)
	if _, err := algorithm.StepServer(o, vector(0), mean, nil, net.Trained(torch.All)...); err != nil {
		t.Fatal(err)
	}
	x, err := mean.Floats()
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 / (math.Sqrt(0.25+0.25*4) + 0.5); math.Abs(float64(x[0])-want) > 1e-6 {
		t.Errorf("yogi: %v, want %v", x[0], want)
	}
}

// TestServerMomentumOfNothing checks that momentum 0 with η = 1 is the average up to rounding, for every method that averages,
// and that there is one optimiser state per model.
func TestServerMomentumOfNothing(t *testing.T) {
	for _, name := range averaging(t) {
		want, _ := federationtest.Finished(t, name, 2, nil)
		got, _ := federationtest.Finished(t, name, 2, func(e *federation.Env) {
			e.Server.Name, e.Server.Momentum = federation.ServerMomentum, 0
		})
		if len(got) != len(want) {
			t.Fatalf("%s: %d models, without a server optimiser %d", name, len(got), len(want))
		}
		for model, w := range want {
			for k := range w {
				if d := math.Abs(float64(got[model][k] - w[k])); !(d < 1e-4) {
					t.Fatalf("%s: weight %d of %s is %g, the average %g", name, k, model, got[model][k], w[k])
				}
			}
		}
	}
}

// averaging returns the names of the methods that average.
func averaging(t *testing.T) (names []string) {
	for _, name := range federation.Names() {
		if averages(federationtest.Algorithm(t, name)) {
			names = append(names, name)
		}
	}
	if slices.Contains(names, "local") || !slices.Contains(names, "fedavg") || !slices.Contains(names, "feddag") {
		t.Errorf("%v average", names)
	}
	return names
}

// averages reports whether a method averages models.
func averages(a federation.Algorithm) bool {
	x, ok := a.(federation.Averager)
	return ok && x.Averages()
}

// TestServerOptimizerKeepsRunningStatistics checks that the running statistics of batch norms are averaged, without a step.
func TestServerOptimizerKeepsRunningStatistics(t *testing.T) {
	layers := []torch.Layer{
		torch.Conv2d{Name: "conv", In: 1, Out: 2, Kernel: 3, Stride: 1}, torch.BatchNorm2d{Name: "norm", Channels: 2}, torch.Flatten{},
	}
	net, err := torch.NewNetwork(layers, [3]int{1, 4, 4}, 2, false)
	if err != nil {
		t.Fatal(err)
	}
	device, err := torch.ParseDevice("cpu")
	if err != nil {
		t.Fatal(err)
	}
	from, mean := make([]float32, net.Len()), slices.Repeat([]float32{1}, net.Len())
	a, _ := torch.VectorOf(device, from)
	b, _ := torch.VectorOf(device, mean)
	defer a.Close()
	defer b.Close()
	o := federation.ServerOptimizer{Name: federation.ServerMomentum, LearningRate: 3}
	if _, err := algorithm.StepServer(o, a, b, nil, net.Trained(torch.All)...); err != nil {
		t.Fatal(err)
	}
	x, err := b.Floats()
	if err != nil {
		t.Fatal(err)
	}
	buffers := 0
	for _, p := range net.Params() {
		want := float32(3)
		if p.Buffer {
			want, buffers = 1, buffers+1
		}
		for _, v := range x[p.Range.Begin:p.Range.End] {
			if v != want {
				t.Errorf("%s is %g, want %g", p.Name, v, want)
			}
		}
	}
	if buffers == 0 {
		t.Error("the network has no running statistics")
	}
}
