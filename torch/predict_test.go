package torch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"feddag/models"
	"feddag/torch"
)

// TestPredictSharesEncoders checks that models with equal encoders share the passes through them, and that every bit of the
// predictions is the same as when each model predicts alone.
func TestPredictSharesEncoders(t *testing.T) {
	const n, batch = 300, 128 // three batches
	for _, c := range []struct {
		name    string
		dual    bool
		models  [][]int // by model: the seeds of its encoders and of its head
		encoded int64   // images times distinct encoders, and those of the last job
	}{
		{"one encoder", false, [][]int{{1, 10}, {1, 11}, {2, 10}, {1, 12}}, 2*n + batch},
		{"two encoders", true, [][]int{{1, 4, 10}, {1, 5, 11}, {2, 4, 12}, {3, 1, 13}}, 5*n + 2*batch},
		{"no equal encoders", true, [][]int{{1, 4, 10}, {2, 5, 10}}, 4*n + 2*batch},
	} {
		t.Run(c.name, func(t *testing.T) {
			net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, c.dual, 1, n, 1)
			var asked []torch.Prediction
			for _, state := range statesOf(t, net, c.models) {
				asked = append(asked, torch.Prediction{State: state, Samples: jobs[0].Samples, LogProbabilities: true, Features: true})
			}
			last := asked[0] // the first batch, with two samples in the other order
			last.Samples = slices.Clone(jobs[0].Samples[:batch])
			last.Samples[batch-2], last.Samples[batch-1] = last.Samples[batch-1], last.Samples[batch-2]
			last.LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
			asked = append(asked, last)

			together := newEngine(t, 2)
			got, err := together.Predict(net, images, asked)
			if err != nil {
				t.Fatal(err)
			}
			if together.Encoded() != c.encoded {
				t.Errorf("%d images passed through encoders, want %d", together.Encoded(), c.encoded)
			}
			for i := range asked {
				want, err := newEngine(t, 1).Predict(net, images, asked[i:i+1])
				if err != nil {
					t.Fatal(err)
				}
				if !sameBits(got[i], want[0]) {
					t.Errorf("prediction %d has other bits than alone", i)
				}
			}
		})
	}
}

// statesOf returns a model for each list of seeds, which are those of its encoders and of its head. Encoders with the same seed
// have the same values.
func statesOf(t *testing.T, net *torch.Network, models [][]int) []*torch.Vector {
	t.Helper()
	parts := []torch.Part{torch.Primary, torch.Head}
	if net.Dual() {
		parts = []torch.Part{torch.Primary, torch.Secondary, torch.Head}
	}
	var states []*torch.Vector
	for _, seeds := range models {
		weights := make([]float32, net.Len())
		for k, part := range parts {
			fresh, r := make([]float32, net.Len()), net.Range(part)
			net.Init(fresh, torch.Primary|torch.Head, rand.New(rand.NewPCG(uint64(seeds[k]), 0)))
			from := r // a secondary encoder has the values that a primary encoder of its seed has
			if part == torch.Secondary {
				from = net.Range(torch.Primary)
			}
			copy(weights[r.Begin:r.End], fresh[from.Begin:from.End])
		}
		states = append(states, vectorOf(t, weights...))
	}
	return states
}

// sameBits returns whether all results of two predictions are equal.
func sameBits(a, b torch.Predicted) bool {
	return slices.Equal(a.Classes, b.Classes) && slices.Equal(a.Losses, b.Losses) &&
		slices.Equal(a.LogProbabilities, b.LogProbabilities) && slices.Equal(a.Features, b.Features)
}

// sharing returns predictions of n images by six models, and the number of images that pass through their encoders. The first
// model shares nothing with the others. The third has the primary encoder of the second, and the fifth, which predicts only the
// first images, has both. The fourth predicts the images in another order. The sixth predicts the same ones except the last, and
// has only the secondary encoder of the fourth.
func sharing(t *testing.T, net *torch.Network, n int) (asked []torch.Prediction, encoded int64) {
	t.Helper()
	models := [][]int{{6, 7, 14}, {1, 4, 10}, {1, 5, 11}, {2, 4, 12}, {1, 4, 13}, {1, 4, 10}}
	if !net.Dual() {
		for k, seeds := range models {
			models[k] = []int{seeds[0], seeds[2]}
		}
	}
	all := counted(n)
	for k, state := range statesOf(t, net, models) {
		asked = append(asked, torch.Prediction{State: state, Samples: all, LogProbabilities: k != 2, Features: k != 3})
	}
	asked[0].Samples = slices.Clone(all)
	slices.Reverse(asked[0].Samples)
	asked[3].Samples = slices.Concat(all[1:], all[:1])
	asked[3].LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	asked[4].Samples = all[:n*4/9]
	asked[5].Samples = all[1:]
	encoded = int64(4*n - 1)
	if net.Dual() {
		encoded += int64(4 * n)
	}
	return asked, encoded
}

// TestBatchedSharesEncoders checks for all kinds of layers, methods of convolution and precisions that models with equal encoders
// share the passes through them in the batched engine, and that every bit of the predictions is the same as when nothing is shared.
func TestBatchedSharesEncoders(t *testing.T) {
	lenet, err := models.New("lenet", [3]int{1, 28, 28}, 10, true, models.Options{Dropout: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	bf16 := torch.Arithmetic{Precision: torch.BF16}
	for _, c := range []struct {
		name string
		net  *torch.Network
		n    int
	}{
		{"every layer, one encoder", tinyNet(t, false, 0.3), 300},
		{"every layer, two encoders", tinyNet(t, true, 0), 300},
		{"convolutions", fusedNet(t), 150},
		{"linear, one encoder", linearNet(t, false), 300},
		{"linear, two encoders", linearNet(t, true), 20},
		{"lenet", lenet, 140},
	} {
		images := hashedImages(t, c.net.Input(), c.n, 100)
		asked, encoded := sharing(t, c.net, c.n)
		for _, o := range []torch.BatchedOptions{
			{}, {FusedKernels: true}, {Method: torch.Grouped}, {Method: torch.PerClient}, {Method: torch.Fused},
			{Arithmetic: bf16}, {Arithmetic: bf16, FusedKernels: true},
		} {
			t.Run(fmt.Sprintf("%s/%d/%v/%v", c.name, o.Method, o.FusedKernels, o.Precision), func(t *testing.T) {
				e := newBatched(t, o)
				got, err := e.Predict(c.net, images, asked)
				if err != nil {
					t.Fatal(err)
				}
				if e.Encoded() != encoded {
					t.Errorf("%d images passed through encoders, want %d", e.Encoded(), encoded)
				}
				for i := range asked[1:] {
					// The first model gives the batches the size that they have in the call with all models.
					want, err := newBatched(t, o).Predict(c.net, images, []torch.Prediction{asked[0], asked[i+1]})
					if err != nil {
						t.Fatal(err)
					}
					if !sameBits(got[i+1], want[1]) {
						t.Errorf("prediction %d has other bits than without others", i+1)
					}
				}
			})
		}
	}
}

// TestSharedEncodersOnFibers checks that where the engines compare the hashes of encoders, as on a GPU, they share the same passes
// as where they compare the values, and that predictions have the same bits.
func TestSharedEncodersOnFibers(t *testing.T) {
	library := fibersLibrary(t)
	net := linearNet(t, true)
	images := hashedImages(t, net.Input(), 9, 100)
	asked, encoded := sharing(t, net, 9)
	for _, fused := range []bool{false, true} {
		predict := func() []torch.Predicted {
			e := newBatched(t, torch.BatchedOptions{FusedKernels: fused})
			got, err := e.Predict(net, images, asked)
			if err != nil {
				t.Fatal(err)
			}
			if e.Encoded() != encoded {
				t.Errorf("fused kernels %v: %d images passed through encoders, want %d", fused, e.Encoded(), encoded)
			}
			return got
		}
		want := predict()
		var got []torch.Predicted
		_, lines := onFibers(t, library, 1, "", "", func() { got = predict() })
		for _, finding := range lines["finding"] {
			t.Error(finding)
		}
		if !slices.Contains(lines["ran"], "hash_chunks") {
			t.Errorf("no hashes were compared: %q", lines["ran"])
		}
		for i := range asked {
			if !sameBits(got[i], want[i]) {
				t.Errorf("fused kernels %v: prediction %d has other bits on fibers", fused, i)
			}
		}
	}
}

// TestSharedEncodersMemory checks that predictions of models that share encoders use less memory than those of models that share
// nothing.
func TestSharedEncodersMemory(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, true, 1, 300, 1)
	var peaks []int64
	for _, models := range [][][]int{
		{{1, 2, 3}, {1, 2, 4}, {1, 2, 5}, {1, 2, 6}},
		{{1, 2, 3}, {1, 3, 4}, {1, 4, 5}, {1, 5, 6}},
		{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {4, 5, 6}},
	} {
		e := newBatched(t, torch.BatchedOptions{})
		var asked []torch.Prediction
		for _, state := range statesOf(t, net, models) {
			asked = append(asked, torch.Prediction{State: state, Samples: jobs[0].Samples, LogProbabilities: true, Features: true})
		}
		if _, err := e.Predict(net, images, asked); err != nil {
			t.Fatal(err)
		}
		peaks = append(peaks, e.Peak())
	}
	if peaks[0] > peaks[2]/3 || peaks[1] > peaks[2] {
		t.Errorf("peaks of %d bytes where all encoders are shared, the primary ones, and none", peaks)
	}
}

// BenchmarkPredictSharesEncoders times the predictions of three models of lenet in one call and in a call each. The models share
// their encoder, or nothing. The metric cpu-ms/op is the time of the process.
func BenchmarkPredictSharesEncoders(b *testing.B) {
	engines := map[string]func() (torch.Executor, error){
		"serial":  func() (torch.Executor, error) { return torch.NewEngine(torch.CPU, 1) },
		"batched": func() (torch.Executor, error) { return torch.NewBatched(torch.CPU, torch.BatchedOptions{}) },
		"batched fused": func() (torch.Executor, error) {
			return torch.NewBatched(torch.CPU, torch.BatchedOptions{FusedKernels: true})
		},
	}
	for _, input := range [][3]int{{3, 32, 32}, {1, 28, 28}} {
		net, images, jobs := workload(b, "lenet", input, false, 1, 2000, 1)
		var shared, different []torch.Prediction
		for k := range 3 {
			weights := make([]float32, net.Len())
			net.Init(weights, torch.All, rand.New(rand.NewPCG(uint64(k), 0)))
			state, err := torch.VectorOf(torch.CPU, weights)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(state.Close)
			shared = append(shared, torch.Prediction{State: jobs[0].Start, Samples: jobs[0].Samples})
			different = append(different, torch.Prediction{State: state, Samples: jobs[0].Samples})
		}
		for engine, make := range engines {
			e, err := make()
			if err != nil {
				b.Fatal(err)
			}
			for name, calls := range map[string][][]torch.Prediction{
				"together": {shared}, "alone": {shared[:1], shared[1:2], shared[2:]}, "different": {different},
			} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/%s", engine, input[0], input[1], input[2], name), func(b *testing.B) {
					before := processTime(b)
					for b.Loop() {
						for _, call := range calls {
							if _, err := e.Predict(net, images, call); err != nil {
								b.Fatal(err)
							}
						}
					}
					b.ReportMetric(float64((processTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				})
			}
		}
	}
}

// processTime returns the processor time of this process.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
