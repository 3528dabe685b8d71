package torch_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"feddag/models"
	"feddag/torch"
)

func newBatched(t *testing.T, o torch.BatchedOptions) *torch.Batched {
	t.Helper()
	e, err := torch.NewBatched(torch.CPU, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// raggedCohort returns clients of very different sizes, from one sample to many, each with its own start. Some have a label
// map, some weights, and some a proximal term.
func raggedCohort(t *testing.T, net *torch.Network, epochs int) (*torch.Images, []torch.Job) {
	t.Helper()
	sizes := []int{5, 23, 1, 17, 9, 10, 23}
	r := rand.New(rand.NewPCG(3, 4))
	total := 0
	for _, n := range sizes {
		total += n
	}
	images := hashedImages(t, net.Input(), total, 100)
	jobs := make([]torch.Job, len(sizes))
	first := 0
	for c, n := range sizes {
		state := hashedState(net)
		for i := range state {
			state[i] *= float32(1 + 0.02*float64(c))
		}
		job := torch.Job{Client: 10 + c, Start: vectorOf(t, state...), Seed: uint64(c)}
		for i := range n {
			job.Samples = append(job.Samples, int32(first+i))
		}
		first += n
		for range epochs {
			order := make([]int32, n)
			for i, p := range r.Perm(n) {
				order[i] = int32(p)
			}
			job.Order = append(job.Order, order)
		}
		if c%3 == 1 {
			job.LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
			job.Proximal = 0.1
		}
		if c%3 == 2 {
			for range n {
				job.Weights = append(job.Weights, float32(r.Float64()*2))
			}
		}
		jobs[c] = job
	}
	return images, jobs
}

var raggedSGD = torch.SGD{Batch: 5, LearningRate: 0.001, Momentum: 0.5, WeightDecay: 1e-4}

// kinks is the share of a client's weights that may differ ten times as much: rounding, which depends on the processor, can
// put a sample on the other side of a kink of a ReLU or a pooling.
const kinks = 1e-3

// equalTrained checks that the results of two executors differ by at most 1e-5, relative to the value where it is above
// one. A share of each client's weights may differ by 1e-4.
func equalTrained(t *testing.T, jobs []torch.Job, got, want []torch.Trained, share float64) {
	t.Helper()
	for i := range jobs {
		a, b := values(t, got[i].End), values(t, want[i].End)
		off := 0
		for k := range a {
			diff := math.Abs(float64(a[k]-b[k])) / max(1, math.Abs(float64(b[k])))
			if !(diff <= 1e-5) {
				off++
			}
			if !(diff <= 1e-4) || float64(off) > share*float64(len(a)) {
				t.Fatalf("client %d (%d samples): value %d is %g, want %g; %d others are off", jobs[i].Client, len(jobs[i].Samples), k, a[k], b[k], off-1)
			}
		}
		for e, w := range want[i].Loss {
			if !(math.Abs(got[i].Loss[e]-w) <= 1e-5*max(1, w)) {
				t.Errorf("client %d: epoch %d has loss %g, want %g", jobs[i].Client, e, got[i].Loss[e], w)
			}
		}
		if !got[i].Finite || !want[i].Finite {
			t.Errorf("client %d is not finite", jobs[i].Client)
		}
	}
}

func closeAll(trained []torch.Trained) {
	for _, r := range trained {
		r.End.Close()
	}
}

// TestBatchedEqualsEagerOnRaggedClients checks that after both phases of a round on clients of different sizes, the batched
// engine, with each method of convolution, and the serial engine equal the eager executor.
func TestBatchedEqualsEagerOnRaggedClients(t *testing.T) {
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	nets := map[string]*torch.Network{"every layer": tinyNet(t, true, 0.3)}
	for _, model := range []string{"lenet", "cnn"} {
		input := map[string][3]int{"lenet": {1, 28, 28}, "cnn": {3, 32, 32}}[model]
		if nets[model], err = models.New(model, input, 10, true, models.Options{Dropout: 0.2}); err != nil {
			t.Fatal(err)
		}
	}
	for name, net := range nets {
		epochs := map[string]int{"every layer": 3, "lenet": 2, "cnn": 1}[name]
		images, jobs := raggedCohort(t, net, epochs)
		for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary, torch.All} {
			want, err := eager.Train(net, images, jobs, parts, raggedSGD)
			if err != nil {
				t.Fatal(err)
			}
			for executor, e := range executors(t) {
				if executor == "eager" || name == "cnn" && strings.HasPrefix(executor, "batched ") && parts != torch.All {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, parts, executor), func(t *testing.T) {
					got, err := e.Train(net, images, jobs, parts, raggedSGD)
					if err != nil {
						t.Fatal(err)
					}
					defer closeAll(got)
					equalTrained(t, jobs, got, want, kinks)
				})
			}
			closeAll(want)
		}
	}
}

// TestBatchNormOfRaggedClients checks batch norms on clients of different sizes: last batches of one sample, clients that
// end early, running statistics, and frozen parts. The network has no ReLU and no maximum, so that rounding errors stay
// small. Across a kink, or between two candidates for a maximum, they would become a jump, which can be of any size where
// few samples share a batch. Here all steps stay within 1e-5 of eager.
func TestBatchNormOfRaggedClients(t *testing.T) {
	conv := func(name string, in, out, stride int) torch.Layer {
		return torch.Conv2d{Name: name, In: in, Out: out, Kernel: 3, Stride: stride, Padding: 1, NoBias: true}
	}
	net, err := torch.NewNetwork([]torch.Layer{
		conv("conv1", 2, 4, 1),
		torch.BatchNorm2d{Name: "bn1", Channels: 4}, // 4 x 8 x 8
		torch.Residual{Body: []torch.Layer{
			conv("body1", 4, 4, 1), torch.BatchNorm2d{Name: "bn2", Channels: 4},
			conv("body2", 4, 4, 1), torch.BatchNorm2d{Name: "bn3", Channels: 4},
		}},
		conv("conv2", 4, 6, 2),
		torch.BatchNorm2d{Name: "bn4", Channels: 6}, // 6 x 4 x 4
		torch.AvgPool2d{Size: 2},
		torch.Flatten{},
	}, [3]int{2, 8, 8}, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	images, jobs := raggedCohort(t, net, 4)
	one := 0
	for _, j := range jobs {
		if len(j.Samples)%4 == 1 {
			one++
		}
	}
	if one < 4 {
		t.Fatalf("%d clients have a last batch of one sample, want 4", one)
	}
	sgd := raggedSGD
	sgd.Batch = 4
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary, torch.All} {
		want, err := eager.Train(net, images, jobs, parts, sgd)
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range executors(t) {
			got, err := e.Train(net, images, jobs, parts, sgd)
			if err != nil {
				t.Fatal(name, err)
			}
			t.Run(fmt.Sprint(name, " ", parts), func(t *testing.T) { equalTrained(t, jobs, got, want, 0) })
			closeAll(got)
		}
		closeAll(want)
	}
}

// TestBatchedReusesWhatItRecorded checks that a second round, which uses the recorded steps and the memory of the first round
// with other clients, sizes and rates, gives the same bits as a new engine, and so does a call for fewer clients.
func TestBatchedReusesWhatItRecorded(t *testing.T) {
	net := tinyNet(t, true, 0.3)
	images, jobs := raggedCohort(t, net, 3)
	used := newBatched(t, torch.BatchedOptions{})
	run := func(e *torch.Batched, jobs []torch.Job, sgd torch.SGD) [][]float32 {
		trained, err := e.Train(net, images, jobs, torch.Primary|torch.Head, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(trained)
		var ends [][]float32
		for _, r := range trained {
			ends = append(ends, values(t, r.End))
		}
		return ends
	}
	run(used, jobs, raggedSGD)
	sgd := raggedSGD
	sgd.LearningRate, sgd.Momentum, sgd.WeightDecay = 0.002, 0.9, 0.01
	slices.Reverse(jobs)
	for _, some := range [][]torch.Job{jobs, jobs[1:4], jobs[5:6]} {
		got, want := run(used, some, sgd), run(newBatched(t, torch.BatchedOptions{}), some, sgd)
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("of %d: client %d differs from a fresh engine's", len(some), some[i].Client)
			}
		}
	}
}

// TestBatchedLongRunOfSteps checks that a client whose steps are recorded eight per graph has the weights of the eager
// executor, and that each of its samples counts once as progress.
func TestBatchedLongRunOfSteps(t *testing.T) {
	net := tinyNet(t, false, 0.3)
	images, jobs := raggedCohort(t, net, 3)
	jobs = jobs[:3] // they have 5, 23 and 1 samples: one client is alone in most steps
	sgd := raggedSGD
	sgd.Batch = 1
	var samples int64
	for _, j := range jobs {
		samples += int64(len(j.Samples) * len(j.Order))
	}
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	want, err := eager.Train(net, images, jobs, torch.All, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(want)
	e := newBatched(t, torch.BatchedOptions{})
	got, err := e.Train(net, images, jobs, torch.All, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(got)
	equalTrained(t, jobs, got, want, kinks)
	if e.Progress() != samples {
		t.Errorf("progress %d, want %d samples", e.Progress(), samples)
	}
}

// TestBatchedClientsAreApart checks that a client's result does not depend, beyond rounding, on the other clients of the
// stack or on its position.
func TestBatchedClientsAreApart(t *testing.T) {
	net := tinyNet(t, false, 0)
	images, jobs := raggedCohort(t, net, 2)
	e := newBatched(t, torch.BatchedOptions{})
	all, err := e.Train(net, images, jobs, torch.All, raggedSGD)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(all)
	for i := range jobs {
		one, err := e.Train(net, images, jobs[i:i+1], torch.All, raggedSGD)
		if err != nil {
			t.Fatal(err)
		}
		equalTrained(t, jobs[i:i+1], one, all[i:i+1], kinks)
		closeAll(one)
	}
}

// TestBatchedNaNStaysWithItsClient checks that a NaN in one client does not affect the others.
func TestBatchedNaNStaysWithItsClient(t *testing.T) {
	net := tinyNet(t, false, 0)
	images, jobs := raggedCohort(t, net, 2)
	bad := values(t, jobs[1].Start)
	for i := range bad {
		bad[i] = float32(math.NaN())
	}
	jobs[1].Start = vectorOf(t, bad...)
	for name, e := range executors(t) {
		if name == "eager" {
			continue
		}
		trained, err := e.Train(net, images, jobs, torch.All, raggedSGD)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, r := range trained {
			if finite := r.Finite && !math.IsNaN(r.Loss[1]); finite != (i != 1) {
				t.Errorf("%s: client %d finite: %v", name, jobs[i].Client, finite)
			}
		}
		closeAll(trained)
	}
}

// TestBatchedBF16 checks that in bfloat16, where activations have 8 bits of mantissa, the losses are near those of float32
// and the weights are float32.
func TestBatchedBF16(t *testing.T) {
	net, err := models.New("lenet", [3]int{1, 28, 28}, 10, true, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, net := range map[string]*torch.Network{"lenet": net, "every layer": tinyNet(t, true, 0)} {
		images, jobs := raggedCohort(t, net, 2)
		want, err := newBatched(t, torch.BatchedOptions{}).Train(net, images, jobs, torch.Primary|torch.Head, raggedSGD)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []torch.ConvMethod{torch.Columns, torch.Grouped, torch.PerClient, torch.Fused} {
			e := newBatched(t, torch.BatchedOptions{Arithmetic: torch.Arithmetic{Precision: torch.BF16}, Method: method})
			got, err := e.Train(net, images, jobs, torch.Primary|torch.Head, raggedSGD)
			if err != nil {
				t.Fatal(name, method, err)
			}
			same := 0
			for i := range jobs {
				for k, w := range want[i].Loss {
					if diff := math.Abs(got[i].Loss[k] - w); !(diff <= 0.02*max(1, w)) {
						t.Errorf("%s, method %d, client %d: loss %g, float32 has %g", name, method, jobs[i].Client, got[i].Loss[k], w)
					} else if diff == 0 {
						same++
					}
				}
			}
			if same > len(jobs) {
				t.Errorf("%s, method %d: %d losses equal float32's: is this bfloat16?", name, method, same)
			}
			p, err := e.Predict(net, images, []torch.Prediction{{State: want[0].End, Samples: jobs[1].Samples, Features: true}})
			if err != nil || len(p[0].Features) != len(jobs[1].Samples)*2*net.Features() {
				t.Errorf("%s, method %d: predicting in bfloat16: %v", name, method, err)
			}
			closeAll(got)
		}
		closeAll(want)
	}
}

// TestBatchedPredictsRaggedJobs checks that predictions of many models with different numbers of samples equal those of the
// eager executor.
func TestBatchedPredictsRaggedJobs(t *testing.T) {
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	net := tinyNet(t, true, 0.5)
	images, jobs := raggedCohort(t, net, 1)
	var asked []torch.Prediction
	for i, j := range jobs {
		asked = append(asked, torch.Prediction{State: j.Start, Samples: j.Samples, LabelMap: j.LabelMap,
			Features: i%2 == 0, LogProbabilities: i%3 == 0})
	}
	asked = append(asked, torch.Prediction{State: jobs[0].Start})
	asked = append(asked, torch.Prediction{State: jobs[2].Start, Samples: slices.Repeat(jobs[1].Samples, 20)})
	want, err := eager.Predict(net, images, asked)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newBatched(t, torch.BatchedOptions{}).Predict(net, images, asked)
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5*max(1, math.Abs(float64(b))) }
	for i, w := range want {
		g := got[i]
		if !slices.Equal(g.Classes, w.Classes) || !slices.EqualFunc(g.Losses, w.Losses, near) ||
			!slices.EqualFunc(g.Features, w.Features, near) || !slices.EqualFunc(g.LogProbabilities, w.LogProbabilities, near) {
			t.Errorf("job %d of %d samples differs", i, len(asked[i].Samples))
		}
	}
}

func TestBatchedErrors(t *testing.T) {
	net := tinyNet(t, false, 0)
	images, jobs := raggedCohort(t, net, 2)
	e := newBatched(t, torch.BatchedOptions{})
	jobs[4].LabelMap = []uint8{99, 99, 99, 99, 99, 99, 99, 99, 99, 99}
	if _, err := e.Train(net, images, jobs, torch.All, raggedSGD); err == nil || !strings.Contains(err.Error(), "client 14: sample 0 has label 99") {
		t.Errorf("labels beyond the head: %v", err)
	}
	jobs[4].LabelMap = nil
	jobs[3].Samples = slices.Clone(jobs[3].Samples)
	jobs[3].Samples[2] = 1000
	if _, err := e.Train(net, images, jobs, torch.All, raggedSGD); err == nil || !strings.Contains(err.Error(), "client 13: sample 2 is 1000") {
		t.Errorf("a sample outside: %v", err)
	}
	jobs[3].Samples[2] = 0
	trained, err := e.Train(net, images, jobs, torch.All, raggedSGD)
	if err != nil {
		t.Fatal(err)
	}
	closeAll(trained)
}

// TestBatchedCancel checks that Cancel ends a stacked call soon.
func TestBatchedCancel(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 2, 50, 100000)
	e := newBatched(t, torch.BatchedOptions{})
	go func() {
		for e.Progress() == 0 {
			time.Sleep(time.Millisecond)
		}
		e.Cancel()
	}()
	if _, err := e.Train(net, images, jobs, torch.All, paperSGD); !errors.Is(err, torch.ErrCancelled) {
		t.Errorf("a cancelled training returned %v", err)
	}
}

// TestStackedBytes checks that a training never uses more memory than estimated, and that the estimate is not too large.
func TestStackedBytes(t *testing.T) {
	for _, c := range []struct {
		model   string
		input   [3]int
		clients int
		samples int
		batch   int
		parts   torch.Part
		bf16    bool
		atLeast float64 // share of the estimate
	}{
		{"lenet", [3]int{1, 28, 28}, 6, 150, 32, torch.Primary | torch.Head, false, 0.5},
		{"lenet", [3]int{1, 28, 28}, 6, 40, 32, torch.Secondary, true, 0.4},
		{"cnn", [3]int{3, 32, 32}, 3, 20, 10, torch.All, false, 0.5},
		{"resnet9", [3]int{3, 32, 32}, 2, 4, 4, torch.Primary | torch.Head, false, 0.5},
	} {
		net, images, jobs := workload(t, c.model, c.input, true, c.clients, c.samples, 1)
		o := torch.BatchedOptions{}
		if c.bf16 {
			o.Precision = torch.BF16
		}
		e := newBatched(t, o)
		sgd := paperSGD
		sgd.Batch = c.batch
		trained, err := e.Train(net, images, jobs, c.parts, sgd)
		if err != nil {
			t.Fatal(err)
		}
		closeAll(trained)
		estimate := net.StackedBytes(torch.CPU, torch.StackedWork{
			Clients: c.clients, Samples: c.samples, Epochs: 1, Batch: c.batch, Parts: c.parts, Precision: o.Precision,
		})
		if share := float64(e.Peak()) / float64(estimate); share > 1 || share < c.atLeast {
			t.Errorf("%s, parts %d: a peak of %d bytes is %.2f of the estimated %d", c.model, c.parts, e.Peak(), share, estimate)
		}
	}
}

// TestBatchedGroups checks that with too little memory for all clients at once, they are trained in groups with the same
// results.
func TestBatchedGroups(t *testing.T) {
	net := tinyNet(t, true, 0.3)
	images, jobs := raggedCohort(t, net, 2)
	whole := newBatched(t, torch.BatchedOptions{})
	want, err := whole.Train(net, images, jobs, torch.All, raggedSGD)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(want)
	three := net.StackedBytes(torch.CPU, torch.StackedWork{Clients: 3, Samples: 23, Epochs: 2, Batch: raggedSGD.Batch, Parts: torch.All, Proximal: true})
	for name, c := range map[string]struct {
		memory int64
		most   int
	}{"three at once": {three, 3}, "one at once": {three / 3, 1}, "too little for one": {1, 0}} {
		e := newBatched(t, torch.BatchedOptions{Memory: c.memory})
		got, err := e.Train(net, images, jobs, torch.All, raggedSGD)
		if c.most == 0 {
			if !errors.Is(err, torch.ErrOutOfMemory) || !strings.Contains(err.Error(), "--memory allows 1 B") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(name, err)
		}
		equalTrained(t, jobs, got, want, kinks)
		closeAll(got)
		if _, most := e.AtOnce(); most != c.most {
			t.Errorf("%s: %d at once", name, most)
		}
		p, err := e.Predict(net, images, []torch.Prediction{{State: want[0].End, Samples: jobs[0].Samples}, {State: want[1].End, Samples: jobs[1].Samples}})
		if err != nil || len(p[1].Classes) != len(jobs[1].Samples) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMethodsAreKeyedByClients checks that methods of convolution are chosen separately for one client and for many, for
// each padding, and for convolutions with and without a gradient of their input.
func TestMethodsAreKeyedByClients(t *testing.T) {
	layers := func(padding int) []torch.Layer {
		return []torch.Layer{
			torch.Conv2d{Name: "conv1", In: 1, Out: 1, Kernel: 3, Stride: 1, Padding: padding},
			torch.Conv2d{Name: "conv2", In: 1, Out: 1, Kernel: 1, Stride: 1},
			torch.Flatten{},
		}
	}
	e := newBatched(t, torch.BatchedOptions{})
	for padding := range 2 {
		net, err := torch.NewNetwork(layers(padding), [3]int{1, 8, 8}, 10, false)
		if err != nil {
			t.Fatal(err)
		}
		images, jobs := raggedCohort(t, net, 1) // seven clients at first, one at last
		trained, err := e.Train(net, images, jobs, torch.All, raggedSGD)
		if err != nil {
			t.Fatal(err)
		}
		closeAll(trained)
	}
	report, err := e.Report()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"conv 1x8x8 -> 1 kernel 3 stride 1 padding 0, 5 to 8 clients of 5 samples, no gradient of the input: columns",
		"conv 1x8x8 -> 1 kernel 3 stride 1 padding 1, 5 to 8 clients of 5 samples, no gradient of the input: columns",
		"conv 1x8x8 -> 1 kernel 3 stride 1 padding 1, 2 clients of 5 samples, no gradient of the input: columns",
		"conv 1x8x8 -> 1 kernel 1 stride 1 padding 0, 2 clients of 5 samples: columns",
		"conv 1x6x6 -> 1 kernel 1 stride 1 padding 0, 5 to 8 clients of 5 samples: columns",
	} {
		if !strings.Contains(report, want+"\n") {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}
