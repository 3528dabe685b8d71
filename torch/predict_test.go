package torch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

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
			parts := []torch.Part{torch.Primary, torch.Head}
			if c.dual {
				parts = []torch.Part{torch.Primary, torch.Secondary, torch.Head}
			}
			var asked []torch.Prediction
			for _, seeds := range c.models {
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
				asked = append(asked, torch.Prediction{
					State: vectorOf(t, weights...), Samples: jobs[0].Samples, LogProbabilities: true, Features: true,
				})
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
				w, g := want[0], got[i]
				if !slices.Equal(g.Classes, w.Classes) || !slices.Equal(g.Losses, w.Losses) ||
					!slices.Equal(g.LogProbabilities, w.LogProbabilities) || !slices.Equal(g.Features, w.Features) {
					t.Errorf("prediction %d has other bits than alone", i)
				}
			}
		})
	}
}

// BenchmarkPredictSharesEncoders times the predictions of three models of lenet that share their encoder, in one call and in a call
// each.
func BenchmarkPredictSharesEncoders(b *testing.B) {
	for _, input := range [][3]int{{3, 32, 32}, {1, 28, 28}} {
		net, images, jobs := workload(b, "lenet", input, false, 1, 2000, 1)
		e, err := torch.NewEngine(torch.CPU, 1)
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close()
		var asked []torch.Prediction
		for range 3 {
			asked = append(asked, torch.Prediction{State: jobs[0].Start, Samples: jobs[0].Samples})
		}
		for name, calls := range map[string][][]torch.Prediction{"together": {asked}, "alone": {asked[:1], asked[1:2], asked[2:]}} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", input[0], input[1], input[2], name), func(b *testing.B) {
				for b.Loop() {
					for _, call := range calls {
						if _, err := e.Predict(net, images, call); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
