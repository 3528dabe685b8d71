package torch_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// fusedOf returns the kernels that a GPU would have compiled for the shapes of a network's layers, in two parts: the fused
// ones and the others.
func fusedOf(lines []string) (fused, others []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "FD_SHAPED(fused_") {
			fused = append(fused, line)
		} else {
			others = append(others, line)
		}
	}
	return fused, others
}

// TestFusedKernels checks on ragged clients that with the fused kernels training and prediction give what eager gives, as
// loops and on fibers, where lenet has kernels for its shapes, and that no two threads touch the same memory without a barrier
// between. Blocks of the linear layers have fewer samples in batches of four than in batches of five.
func TestFusedKernels(t *testing.T) {
	library, known := fibersLibrary(t), knownShapes(t)
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	lenet := func(dual bool, input ...int) *torch.Network {
		net, err := models.New("lenet", [3]int(input), 10, dual, models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return net
	}
	needed := map[string]bool{}
	for _, c := range []struct {
		name  string
		net   *torch.Network
		small bool // it has no kernels for its shapes
		parts torch.Part
		batch int
	}{
		{"convolutions", fusedNet(t), true, torch.Primary | torch.Head, 5},
		{"convolutions", fusedNet(t), true, torch.Secondary, 5},
		{"linear", linearNet(t, true), true, torch.Primary | torch.Head, 5},
		{"linear", linearNet(t, true), true, torch.Secondary, 4},
		{"linear", linearNet(t, true), true, torch.Head, 5},
		{"linear", linearNet(t, true), true, torch.All, 5},
		{"one linear", linearNet(t, false), true, torch.All, 4},
		{"one linear", linearNet(t, false), true, torch.Primary, 5},
		{"one linear", linearNet(t, false), true, torch.Head, 4},
		{"lenet", lenet(true, 1, 28, 28), false, torch.Primary | torch.Head, 5},
		{"lenet", lenet(true, 1, 28, 28), false, torch.Secondary, 4},
		{"lenet", lenet(true, 1, 28, 28), false, torch.Head, 5},
		{"lenet", lenet(true, 3, 32, 32), false, torch.Primary | torch.Head, 4},
		{"lenet", lenet(true, 3, 32, 32), false, torch.Secondary, 5},
		{"one lenet", lenet(false, 1, 28, 28), false, torch.All, 5},
		{"one lenet", lenet(false, 1, 28, 28), false, torch.Head, 4},
	} {
		images, jobs := raggedCohort(t, c.net, 1)
		jobs = some(jobs)
		t.Run(fmt.Sprintf("%s on %v/%d/%d", c.name, c.net.Input(), c.parts, c.batch), func(t *testing.T) {
			sgd := raggedSGD
			sgd.Batch = c.batch
			want, err := eager.Train(c.net, images, jobs, c.parts, sgd)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(want)
			r := loopsAndFibers(t, library, 5, torch.BatchedOptions{FusedKernels: true}, c.net, images, jobs, c.parts, sgd)
			equalTrained(t, jobs, r.trained, want, kinks)
			for i, job := range jobs {
				p, err := eager.Predict(c.net, images, []torch.Prediction{{State: r.trained[i].End, Samples: job.Samples, LogProbabilities: true, Features: true}})
				if err != nil {
					t.Fatal(err)
				}
				for _, other := range []torch.Predicted{r.loops[i], p[0]} {
					closeValues(t, "features", r.predicted[i].Features, other.Features)
					closeValues(t, "log-probabilities", r.predicted[i].LogProbabilities, other.LogProbabilities)
				}
			}
			fused, _ := fusedOf(r.lines["shaped"])
			step := false
			for _, line := range fused {
				kernel, _, _ := strings.Cut(strings.TrimPrefix(line, "FD_SHAPED("), ",")
				needed[kernel] = true
				step = step || strings.HasPrefix(kernel, "fused_step")
				if c.small {
					kernel, _, _ = strings.Cut(kernel, "_f32")
					kernel += "_f32"
				} else if known[kernel] != line {
					t.Errorf("fibers/shapes.h lacks what %s needs:\n%s", c.name, line)
				}
				if !slices.Contains(r.lines["ran"], kernel) {
					t.Errorf("%s did not run", kernel)
				}
			}
			if both := c.net.Dual() && c.parts == torch.All; step == both {
				t.Errorf("whether a kernel takes the steps of all layers: %v", step)
			}
			if slices.Contains(r.lines["ran"], "sgd_step") == step {
				t.Errorf("ran %q", r.lines["ran"])
			}
		})
	}
	for kernel := range known {
		if strings.HasPrefix(kernel, "fused_") && !needed[kernel] {
			t.Errorf("no model needs %s of fibers/shapes.h", kernel)
		}
	}
}

// TestFusedKernelsLargeBatch checks a batch of which the kernel that takes the steps holds a part at a time.
func TestFusedKernelsLargeBatch(t *testing.T) {
	net := linearNet(t, true)
	images, jobs := oneClient(t, net, 150)
	sgd := raggedSGD
	sgd.Batch = 140
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	want, err := eager.Train(net, images, jobs, torch.Primary|torch.Head, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(want)
	r := loopsAndFibers(t, fibersLibrary(t), 7, torch.BatchedOptions{FusedKernels: true}, net, images, jobs, torch.Primary|torch.Head, sgd)
	equalTrained(t, jobs, r.trained, want, kinks)
}

// TestFusedKernelsKeepNaN checks that a NaN among the weights of a linear layer spreads in a step as in the eager executor:
// through ReLUs, but not into the weights of outputs that a ReLU has stopped.
func TestFusedKernelsKeepNaN(t *testing.T) {
	net := linearNet(t, false)
	images, jobs := oneClient(t, net, 9)
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	batched := newBatched(t, torch.BatchedOptions{FusedKernels: true})
	for _, name := range []string{"fc1.weight", "fc2.bias", "fc3.weight", "head.weight"} {
		state := hashedState(net)
		for _, p := range net.Params() {
			if p.Name == name || strings.HasSuffix(p.Name, name) {
				state[p.Range.Begin+1] = float32(math.NaN())
			}
		}
		jobs[0].Start = vectorOf(t, state...)
		sgd := raggedSGD
		sgd.Batch = 9
		want, err := eager.Train(net, images, jobs, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(want)
		got, err := batched.Train(net, images, jobs, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(got)
		nans, numbers := 0, 0
		for i, w := range values(t, want[0].End) {
			g := values(t, got[0].End)[i]
			if math.IsNaN(float64(w)) {
				nans++
			} else {
				numbers++
			}
			if math.IsNaN(float64(g)) != math.IsNaN(float64(w)) {
				t.Fatalf("a NaN in %s: value %d is %g, want %g", name, i, g, w)
			}
		}
		if nans < 2 || got[0].Finite {
			t.Errorf("a NaN in %s: %d values are NaNs, finite %v", name, nans, got[0].Finite)
		}
		t.Log(name, nans, numbers)
	}
}

// closeValues checks that values differ by at most 1e-5, relative to the value where it is above one.
func closeValues(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d %s, want %d", len(got), what, len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(got[i]-w)) <= 1e-5*max(1, math.Abs(float64(w)))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], w)
		}
	}
}

// TestFusedKernelsElsewhere checks that networks of another kind, and those that do not fit into shared memory, take the other
// kernels when the fused ones are asked for.
func TestFusedKernelsElsewhere(t *testing.T) {
	library := fibersLibrary(t)
	wide := func(out, padding int) []torch.Layer {
		return []torch.Layer{
			torch.Conv2d{Name: "conv1", In: 3, Out: out, Kernel: 5, Stride: 1, Padding: padding},
			torch.ReLU{}, torch.MaxPool2d{Size: 2},
			torch.Conv2d{Name: "conv2", In: out, Out: 64, Kernel: 5, Stride: 1, Padding: 2},
			torch.ReLU{}, torch.MaxPool2d{Size: 2}, torch.Flatten{},
		}
	}
	for name, layers := range map[string][]torch.Layer{
		"too many weights": wide(64, 2),
		"stride 2": {
			torch.Conv2d{Name: "conv1", In: 3, Out: 4, Kernel: 3, Stride: 2},
			torch.ReLU{}, torch.MaxPool2d{Size: 2}, torch.Flatten{},
		},
		"no pooling": {torch.Conv2d{Name: "conv1", In: 3, Out: 2, Kernel: 3, Stride: 1}, torch.ReLU{}, torch.Flatten{}},
	} {
		net, err := torch.NewNetwork(layers, [3]int{3, 12, 12}, 10, true)
		if err != nil {
			t.Fatal(name, err)
		}
		images, jobs := raggedCohort(t, net, 1)
		jobs = jobs[2:3]
		_, lines := onFibers(t, library, 6, "", "", func() {
			fiberRun(t, torch.BatchedOptions{FusedKernels: true}, net, images, jobs, torch.All, raggedSGD)
		})
		if fused, _ := fusedOf(lines["shaped"]); len(fused) > 0 || len(lines["finding"]) > 0 {
			t.Errorf("%s: ran %q, found %q", name, fused, lines["finding"])
		}
	}
}
