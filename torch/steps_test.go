package torch_test

import (
	"math"
	"os"
	"slices"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// TestResNet9StepByStep checks that every step of a resnet9 on clients with 9, 1 and 5 samples equals eager's step from the
// same weights. Over many steps the weights cannot agree to 1e-5: when rounding carries a value across the kink of a ReLU, or
// past another candidate for a maximum, the gradient jumps, and later steps multiply the difference. In one step this is rare
// and small: half of the movements are within 5e-6 of eager's in Euclidean norm, three quarters within 1e-4, and all within
// 1e-2. A wrong gradient is wrong in every step.
func TestResNet9StepByStep(t *testing.T) {
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("trains a resnet9 in three engines: set FEDDAG_LONG=1")
	}
	sgd := torch.SGD{Batch: 9, LearningRate: 0.001, WeightDecay: 1e-4}
	parts := []torch.Part{torch.Primary | torch.Head, torch.Secondary, torch.All}
	for _, norm := range []string{"batch", "group"} {
		net, err := models.New("resnet9", [3]int{3, 32, 32}, 10, true, models.Options{Norm: norm})
		if err != nil {
			t.Fatal(err)
		}
		images := hashedImages(t, net.Input(), 15, 11)
		start := vectorOf(t, hashedState(net)...)
		jobs := make([]torch.Job, 3)
		for c, n := range []int{9, 1, 5} {
			jobs[c] = torch.Job{Client: c, Start: start, Order: [][]int32{counted(n)}}
		}
		all := executors(t)
		off := map[string][]float64{}
		for step := range 2 * len(parts) {
			next := int32(step) // other samples in every step, because a sample that has been learned exactly has no gradient
			for c := range jobs {
				jobs[c].Samples = nil
				for range jobs[c].Order[0] {
					jobs[c].Samples = append(jobs[c].Samples, next%15)
					next++
				}
			}
			want, err := all["eager"].Train(net, images, jobs, parts[step%len(parts)], sgd)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"engine", "batched"} {
				got, err := all[name].Train(net, images, jobs, parts[step%len(parts)], sgd)
				if err != nil {
					t.Fatal(name, err)
				}
				for c, j := range jobs {
					from, a, b := values(t, j.Start), values(t, got[c].End), values(t, want[c].End)
					var apart, moved float64
					for k := range b {
						apart += math.Pow(float64(a[k]-b[k]), 2)
						moved += math.Pow(float64(b[k]-from[k]), 2)
					}
					if moved == 0 {
						t.Fatalf("%s norm, step %d: client %d does not move", norm, step, c)
					}
					off[name] = append(off[name], math.Sqrt(apart/moved))
				}
				closeAll(got)
			}
			for c := range jobs {
				if jobs[c].Start != start {
					jobs[c].Start.Close()
				}
				jobs[c].Start = want[c].End
			}
		}
		for _, j := range jobs {
			j.Start.Close()
		}
		for name, x := range off {
			slices.Sort(x)
			t.Logf("%s norm, %s: movements are off by %.2g", norm, name, x)
			if !(x[len(x)/2] <= 5e-6) || !(x[3*len(x)/4] <= 1e-4) || !(x[len(x)-1] <= 1e-2) {
				t.Errorf("%s norm, %s: too far off", norm, name)
			}
		}
	}
}
