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
// between.
func TestFusedKernels(t *testing.T) {
	library, known := fibersLibrary(t), knownShapes(t)
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	needed := map[string]bool{}
	nets := map[string]*torch.Network{"small": fusedNet(t)}
	for _, input := range [][3]int{{1, 28, 28}, {3, 32, 32}} {
		name := fmt.Sprintf("lenet on %v", input)
		if nets[name], err = models.New("lenet", input, 10, true, models.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, net := range nets {
		images, jobs := raggedCohort(t, net, 1)
		jobs = some(jobs)
		for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary} {
			t.Run(fmt.Sprintf("%s/%d", name, parts), func(t *testing.T) {
				want, err := eager.Train(net, images, jobs, parts, raggedSGD)
				if err != nil {
					t.Fatal(err)
				}
				defer closeAll(want)
				r := loopsAndFibers(t, library, 5, torch.BatchedOptions{FusedKernels: true}, net, images, jobs, parts)
				equalTrained(t, jobs, r.trained, want, kinks)
				for i, job := range jobs {
					p, err := eager.Predict(net, images, []torch.Prediction{{State: r.trained[i].End, Samples: job.Samples, LogProbabilities: true, Features: true}})
					if err != nil {
						t.Fatal(err)
					}
					for _, other := range []torch.Predicted{r.loops[i], p[0]} {
						closeValues(t, "features", r.predicted[i].Features, other.Features)
						closeValues(t, "log-probabilities", r.predicted[i].LogProbabilities, other.LogProbabilities)
					}
				}
				fused, _ := fusedOf(r.lines["shaped"])
				if len(fused) == 0 {
					t.Error("no fused kernel ran")
				}
				for _, line := range fused {
					kernel, _, _ := strings.Cut(strings.TrimPrefix(line, "FD_SHAPED("), ",")
					needed[kernel] = true
					if name == "small" {
						kernel, _, _ = strings.Cut(kernel, "_f32")
						kernel += "_f32"
					} else if known[kernel] != line {
						t.Errorf("fibers/shapes.h lacks what %s needs:\n%s", name, line)
					}
					if !slices.Contains(r.lines["ran"], kernel) {
						t.Errorf("%s did not run", kernel)
					}
				}
			})
		}
	}
	for kernel := range known {
		if strings.HasPrefix(kernel, "fused_") && !needed[kernel] {
			t.Errorf("no model needs %s of fibers/shapes.h", kernel)
		}
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
			fiberRun(t, torch.BatchedOptions{FusedKernels: true}, net, images, jobs, torch.All)
		})
		if fused, _ := fusedOf(lines["shaped"]); len(fused) > 0 || len(lines["finding"]) > 0 {
			t.Errorf("%s: ran %q, found %q", name, fused, lines["finding"])
		}
	}
}
