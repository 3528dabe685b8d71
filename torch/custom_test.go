package torch_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feddag/models"
	"feddag/torch"
)

// trainOne trains a job and returns its end and its losses.
func trainOne(t *testing.T, e torch.Executor, net *torch.Network, images *torch.Images, job torch.Job, parts torch.Part, sgd torch.SGD) ([]float32, []float64) {
	t.Helper()
	trained, err := e.Train(net, images, []torch.Job{job}, parts, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(trained)
	if !trained[0].Finite {
		t.Error("the trained weights are not all numbers")
	}
	return values(t, trained[0].End), trained[0].Loss
}

// near compares two vectors.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i] - want[i])); !(diff <= tolerance) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// plain is the cross-entropy as an objective of another package.
var plain = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) { return b.CrossEntropy(), nil })

// TestCustomCrossEntropy checks that the cross-entropy as an objective equals the built-in one, on every executor and with
// all options of jobs and steps.
func TestCustomCrossEntropy(t *testing.T) {
	net, images, job := parityJob(t, "lenet", true, 100, models.Options{Dropout: 0.3})
	job.LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	job.Proximal = 0.1
	for _, h := range hashed(6, parityN) {
		job.Weights = append(job.Weights, float32(h%1000)/500)
	}
	for name, change := range map[string]func(*torch.SGD){
		"steps":        func(*torch.SGD) {},
		"whole epochs": func(s *torch.SGD) { s.Whole = true },
		"meta":         func(s *torch.SGD) { s.Meta = &torch.Meta{Alpha: 0.05, Delta: 0.01} },
	} {
		sgd := paritySGD
		change(&sgd)
		want, losses := trainOne(t, newEngine(t, 1), net, images, job, torch.Primary|torch.Head, sgd)
		sgd.Objective = plain
		for executor, e := range executors(t) {
			got, l := trainOne(t, e, net, images, job, torch.Primary|torch.Head, sgd)
			near(t, name+", "+executor, got, want, 1e-5)
			if math.Abs(l[1]-losses[1]) > 1e-5 {
				t.Errorf("%s, %s: loss %g, want %g", name, executor, l[1], losses[1])
			}
		}
	}
}

// TestCustomProximal checks that a proximal term in the loss equals the proximal term of the job, whichever parts are frozen.
func TestCustomProximal(t *testing.T) {
	net, images, job := parityJob(t, "lenet", true, 100, models.Options{})
	const mu = 0.7
	proximal := torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		loss := b.CrossEntropy()
		for _, w := range b.Weights() {
			loss = loss.Plus(mu/2, w.Current.Sub(w.Received).Square().Sum())
		}
		return loss, nil
	})
	for _, parts := range []torch.Part{torch.All, torch.Secondary, torch.Head} {
		sgd := paritySGD
		sgd.Objective = proximal
		got, _ := trainOne(t, newEngine(t, 1), net, images, job, parts, sgd)
		with := job
		with.Proximal = mu
		want, _ := trainOne(t, newEngine(t, 1), net, images, with, parts, paritySGD)
		near(t, fmt.Sprint("parts ", parts), got, want, 1e-5)
	}
}

// supervised is the supervised contrastive loss (Khosla et al., NeurIPS 2020, equation 2) on the features, added to the
// cross-entropy.
type supervised struct{ mu, tau float64 }

func (o supervised) Loss(b *torch.Batch) (torch.Tensor, error) {
	n := len(b.Labels)
	others, same := make([]float32, n*n), make([]float32, n*n)
	for i, y := range b.Labels {
		positives := float32(0)
		for k, other := range b.Labels {
			if k != i && other == y {
				positives++
			}
		}
		for k, other := range b.Labels {
			if k == i {
				others[i*n+k] = -1e9
			} else if other == y {
				same[i*n+k] = 1 / positives
			}
		}
	}
	z := b.Features()[0].Normalize(1)
	logits := z.MatMul(z.Transpose()).Scale(1 / o.tau).Add(b.Tensor(others, n, n))
	contrast := logits.LogSoftmax(1).Mul(b.Tensor(same, n, n)).Sum().Scale(-1 / float64(n))
	return b.CrossEntropy().Plus(o.mu, contrast), nil
}

// TestSupervisedContrast checks that the step of an objective is its gradient: the slope of the loss along the step is the
// norm of the step. The value of the loss must equal the formula computed on the host.
func TestSupervisedContrast(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	job.Order = job.Order[:1]
	o := supervised{3, 0.5}
	sgd := torch.SGD{Batch: parityN, LearningRate: 1, Objective: o}
	for name, e := range executors(t) {
		end, loss := trainOne(t, e, net, images, job, torch.All, sgd)
		if want := contrastOnHost(t, e, net, images, job, o); math.Abs(loss[0]-want) > 1e-5 {
			t.Errorf("%s: loss %g, on the host %g", name, loss[0], want)
		}
		start := values(t, job.Start)
		slope := 0.0 // along the step
		for i := range start {
			slope += math.Pow(float64(end[i]-start[i]), 2)
		}
		slope = math.Sqrt(slope)
		var sides []float64
		for _, h := range []float64{-2e-4, 2e-4} {
			moved := job
			x := slices.Clone(start)
			for i := range x {
				x[i] += float32(h/slope) * (end[i] - start[i])
			}
			moved.Start = vectorOf(t, x...)
			_, l := trainOne(t, e, net, images, moved, torch.All, sgd)
			sides = append(sides, l[0])
		}
		if numeric := (sides[0] - sides[1]) / 4e-4; math.Abs(numeric-slope) > 0.01*slope {
			t.Errorf("%s: slope %g, the difference of the losses says %g", name, slope, numeric)
		}
	}
}

// contrastOnHost computes the loss from its definition, in float64.
func contrastOnHost(t *testing.T, e torch.Executor, net *torch.Network, images *torch.Images, job torch.Job, o supervised) float64 {
	t.Helper()
	p, err := e.Predict(net, images, []torch.Prediction{{State: job.Start, Samples: job.Samples, Features: true}})
	if err != nil {
		t.Fatal(err)
	}
	labels, h := make([]uint8, parityN), net.Features()
	for i, hash := range hashed(3, parityN) {
		labels[i] = uint8(hash % 10)
	}
	dot := func(i, k int) (sum float64) {
		for c := range h {
			sum += float64(p[0].Features[i*h+c]) * float64(p[0].Features[k*h+c])
		}
		return sum
	}
	similar := func(i, k int) float64 { return dot(i, k) / math.Sqrt(dot(i, i)*dot(k, k)) / o.tau }
	total := 0.0
	for i := range parityN {
		var sum, positive, count float64
		for k := range parityN {
			if k == i {
				continue
			}
			sum += math.Exp(similar(i, k))
			if labels[k] == labels[i] {
				positive, count = positive+similar(i, k), count+1
			}
		}
		if count > 0 {
			total -= positive/count - math.Log(sum)
		}
	}
	return p[0].Loss + o.mu*total/parityN
}

// TestCustomWorkers checks that any number of workers gives the same bits as running one job after another, in the order of
// the jobs.
func TestCustomWorkers(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{Dropout: 0.3})
	var jobs []torch.Job
	for c, n := range []int{5, 22, 1, 9, 14} {
		j := job
		j.Client, j.Seed, j.Samples = c, uint64(c), job.Samples[:n]
		j.Order = [][]int32{counted(n), counted(n)}
		jobs = append(jobs, j)
	}
	sgd := paritySGD
	sgd.Objective = supervised{0.5, 0.5}
	var want [][]float32
	for _, e := range []torch.Executor{newEager(t), newEngine(t, 1), newEngine(t, 2), newEngine(t, 3)} {
		trained, err := e.Train(net, images, jobs, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range trained {
			got := values(t, r.End)
			if len(want) <= i {
				want = append(want, got)
			} else if !slices.Equal(got, want[i]) {
				t.Errorf("client %d has other bits than alone", i)
			}
			if passed := int64(2 * len(jobs[i].Samples)); r.Forward != passed {
				t.Errorf("client %d: %d samples went forward, not %d", i, r.Forward, passed)
			}
		}
		closeAll(trained)
	}
	if slices.Equal(want[0], want[1]) {
		t.Error("two clients end alike")
	}
}

// TestCustomErrors checks that an objective that fails, in any way, is an error that names the client, the batch and the
// cause, and that nothing is left allocated.
func TestCustomErrors(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	var kept torch.Tensor
	in := func(step int, fn func(b *torch.Batch) torch.Tensor) torch.ObjectiveFunc {
		return func(b *torch.Batch) (torch.Tensor, error) {
			if b.Step == step {
				return fn(b), nil
			}
			return b.CrossEntropy(), nil
		}
	}
	for what, x := range map[string]struct {
		o    torch.ObjectiveFunc
		want []string
	}{
		"an error": {func(b *torch.Batch) (torch.Tensor, error) { return torch.Tensor{}, errors.New("no prototypes yet") },
			[]string{"epoch 0, batch 0: no prototypes yet"}},
		"a panic": {in(6, func(b *torch.Batch) torch.Tensor {
			var prototypes []torch.Tensor
			return prototypes[len(b.Labels)]
		}), []string{"epoch 1, batch 1: custom_test.go:", "index out of range [5]"}},
		"a panic with a string": {in(0, func(*torch.Batch) torch.Tensor { panic("mine") }), []string{"custom_test.go:", "mine"}},
		"shapes": {in(2, func(b *torch.Batch) torch.Tensor { return b.Logits().MatMul(b.Features()[0]) }),
			[]string{"epoch 0, batch 2: custom_test.go:", "shapes cannot be multiplied"}},
		"no scalar":   {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits() }), []string{"batch 0: the loss has shape [5, 10]"}},
		"a constant":  {in(0, func(b *torch.Batch) torch.Tensor { return b.Tensor([]float32{1}) }), []string{"does not depend on the trained"}},
		"detached":    {in(0, func(b *torch.Batch) torch.Tensor { return b.CrossEntropy().Detach() }), []string{"does not depend on the trained"}},
		"unconnected": {in(0, func(b *torch.Batch) torch.Tensor { return b.Images.Variable().Sum() }), []string{"does not depend on the trained"}},
		"nothing":     {in(0, func(*torch.Batch) torch.Tensor { return torch.Tensor{} }), []string{"freed, or never made"}},
		"of nothing":  {in(0, func(*torch.Batch) torch.Tensor { return torch.Tensor{}.Exp() }), []string{"without a value"}},
		"and nothing": {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Add(torch.Tensor{}) }), []string{"freed, or never made"}},
		"an earlier step's": {func(b *torch.Batch) (torch.Tensor, error) {
			if b.Step == 0 {
				kept = b.CrossEntropy()
			}
			return b.CrossEntropy().Add(kept), nil
		}, []string{"batch 1: custom_test.go:", "freed, or never made"}},
		"a label outside":  {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().CrossEntropy([]int64{0, 1, 2, 3, 10}) }), []string{"index 10 at position 4 is outside 0 to 9"}},
		"too few labels":   {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Pick([]int64{0}) }), []string{"1 columns for a tensor of shape [5, 10]"}},
		"a slice outside":  {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Select(1, []int64{-1}) }), []string{"index -1"}},
		"values missing":   {in(0, func(b *torch.Batch) torch.Tensor { return b.Tensor([]float32{1, 2}, 3) }), []string{"2 values for a tensor of shape [3]"}},
		"images":           {in(0, func(b *torch.Batch) torch.Tensor { _, z := b.Forward(b.Logits()); return z }), []string{"images of shape [5 10]"}},
		"other weights":    {in(0, func(b *torch.Batch) torch.Tensor { _, z := b.ForwardWith(nil, b.Images); return z }), []string{"0 weights for a network with 10"}},
		"a name":           {in(0, func(b *torch.Batch) torch.Tensor { return b.Weight("head.wait").Current }), []string{`no parameter "head.wait"`}},
		"no projection":    {in(0, func(b *torch.Batch) torch.Tensor { return b.Extra() }), []string{"no Extra values"}},
		"a vector's end":   {in(0, func(b *torch.Batch) torch.Tensor { return b.Vector(b.Job.Start, 61700, 7) }), []string{"range 61700:61707 is not within a vector of 61706"}},
		"a closed vector":  {in(0, func(b *torch.Batch) torch.Tensor { return b.Vector(nil, 0, 7) }), []string{"closed"}},
		"the cat of none":  {in(0, func(*torch.Batch) torch.Tensor { return torch.Cat(0) }), []string{"Cat of no tensors"}},
		"a dimension":      {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Sum(5) }), []string{"Dimension out of range"}},
		"no scalar's":      {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Gradient(b.Images)[0] }), []string{"must be a scalar"}},
		"a constant's":     {in(0, func(b *torch.Batch) torch.Tensor { return b.CrossEntropy().Gradient(b.Images)[0] }), []string{"custom_test.go:"}},
		"several as one":   {in(0, func(b *torch.Batch) torch.Tensor { b.Logits().Item(); return b.Logits() }), []string{"Item of a tensor of shape [5 10]"}},
		"an empty softmax": {in(0, func(b *torch.Batch) torch.Tensor { return b.Logits().Softmax(2) }), []string{"Dimension out of range"}},
	} {
		before, _ := torch.Live()
		for name, e := range map[string]torch.Executor{"eager": newEager(t), "engine": newEngine(t, 2), "batched": newBatched(t, torch.BatchedOptions{})} {
			sgd := paritySGD
			sgd.Objective = x.o
			_, err := e.Train(net, images, []torch.Job{job}, torch.All, sgd)
			if err == nil || !strings.HasPrefix(err.Error(), "client 7: epoch ") {
				t.Errorf("%s, %s: %v", what, name, err)
				continue
			}
			for _, want := range x.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: %v, want %q", what, name, err, want)
				}
			}
		}
		if now, _ := torch.Live(); now > before {
			t.Errorf("%s: %d handles live, %d before", what, now, before)
		}
	}
	// Errors of the job itself.
	for want, change := range map[string]func(*torch.Job){
		"weights to start from":         func(j *torch.Job) { j.Start = nil },
		"not the 61706":                 func(j *torch.Job) { j.Start = vectorOf(t, 1, 2, 3) },
		"position 22, but there are 22": func(j *torch.Job) { j.Order = [][]int32{slices.Repeat([]int32{22}, 22)} },
		"the order has 1":               func(j *torch.Job) { j.Order = [][]int32{{1}} },
		"sample":                        func(j *torch.Job) { j.Samples = slices.Repeat([]int32{99}, 22) },
		"3 weights for 22":              func(j *torch.Job) { j.Weights = make([]float32, 3) },
		"the anchor":                    func(j *torch.Job) { j.Anchor = vectorOf(t, 1) },
		"has label 255":                 func(j *torch.Job) { j.LabelMap = []uint8{1} },
	} {
		j := job
		change(&j)
		sgd := paritySGD
		sgd.Objective = plain
		if _, err := newEngine(t, 1).Train(net, images, []torch.Job{j}, torch.All, sgd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func newEager(t *testing.T) torch.Executor {
	t.Helper()
	e, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestCustomOneFails checks that one failing client of several ends all trainings, and that nothing is left allocated.
func TestCustomOneFails(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	var jobs []torch.Job
	for c := range 5 {
		j := job
		j.Client = c
		jobs = append(jobs, j)
	}
	sgd := paritySGD
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		if b.Job.Client == 3 {
			return torch.Tensor{}, errors.New("not me")
		}
		return b.CrossEntropy(), nil
	})
	before, _ := torch.Live()
	for _, workers := range []int{1, 3} {
		_, err := newEngine(t, workers).Train(net, images, jobs, torch.All, sgd)
		if err == nil || err.Error() != "client 3: epoch 0, batch 0: not me" {
			t.Error(err)
		}
	}
	if now, _ := torch.Live(); now > before {
		t.Errorf("%d handles live, %d before", now, before)
	}
}

// TestCustomCancel checks that a call with an objective can be cancelled, and that progress counts its samples.
func TestCustomCancel(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	job.Order = slices.Repeat(job.Order, 1000)
	e := newEngine(t, 1)
	sgd := paritySGD
	var steps atomic.Int64
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		steps.Add(1)
		return b.CrossEntropy(), nil
	})
	failed := make(chan error)
	go func() {
		_, err := e.Train(net, images, []torch.Job{job}, torch.All, sgd)
		failed <- err
	}()
	for e.Progress() == 0 {
		time.Sleep(time.Millisecond)
	}
	e.Cancel()
	if err := <-failed; !errors.Is(err, torch.ErrCancelled) {
		t.Error(err)
	}
	if n := steps.Load(); n < 1 || n >= 10000 {
		t.Errorf("%d of 10000 steps were made", n)
	}
}

// TestCustomSoak checks over four hundred steps that the number of live tensors is constant and resident memory nearly
// constant.
func TestCustomSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{Dropout: 0.3})
	job.Order = slices.Repeat(job.Order[:1], 80)
	o := supervised{0.5, 0.5}
	live, rss := map[int]int64{}, map[int]int64{}
	sgd := paritySGD
	sgd.LearningRate = 1e-4
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		start := b.Once("features", func() torch.Tensor { f, _ := b.ForwardReceived(b.Images); return f[0] }).Mean()
		loss, err := o.Loss(b)
		if b.Step == 100 || b.Step == 399 {
			live[b.Step], _ = torch.Live()
			rss[b.Step] = residentBytes(t)
		}
		return loss.Add(start.Mul(b.Features()[0].Mean())), err
	})
	trainOne(t, newEngine(t, 1), net, images, job, torch.All, sgd)
	if live[399] > live[100] || live[399] == 0 {
		t.Errorf("%d tensors live in step 399, %d in step 100", live[399], live[100])
	}
	if float64(rss[399]) > 1.05*float64(rss[100]) {
		t.Errorf("%d bytes resident in step 399, %d in step 100", rss[399], rss[100])
	}
}

// TestCustomMAML checks that MAML with second derivatives through its inner step equals the central difference of
// Per-FedAvg's steps.
func TestCustomMAML(t *testing.T) {
	net, err := torch.NewNetwork([]torch.Layer{torch.Flatten{}, torch.Linear{Name: "fc1", In: 784, Out: 12}}, [3]int{1, 28, 28}, 10, false)
	if err != nil {
		t.Fatal(err)
	}
	_, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	job.Start = vectorOf(t, noise(25, net.Len(), 0.03)...)
	const alpha = 0.1
	job.Order = [][]int32{counted(12)}
	job.Samples = job.Samples[:12]
	thrice := job // D, D', D of four samples each
	thrice.Samples = slices.Concat(job.Samples[:8], job.Samples[:4])
	sgd := torch.SGD{Batch: 4, LearningRate: 1, Meta: &torch.Meta{Alpha: alpha, Delta: 0.01}}
	want, _ := trainOne(t, newEngine(t, 1), net, images, thrice, torch.All, sgd)

	job.Order, job.Samples = [][]int32{counted(8)}, job.Samples[:8]
	sgd = torch.SGD{Batch: 8, LearningRate: 1}
	half := func(b *torch.Batch, k int64) (torch.Tensor, []int64) {
		return b.Images.Select(0, []int64{4 * k, 4*k + 1, 4*k + 2, 4*k + 3}), b.Labels[4*k : 4*k+4]
	}
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		x, y := half(b, 0)
		_, logits := b.Forward(x)
		var w []torch.Tensor
		for _, weight := range b.Weights() {
			w = append(w, weight.Current)
		}
		for i, g := range logits.CrossEntropy(y).Mean().Gradient(w...) {
			w[i] = w[i].Plus(-alpha, g)
		}
		x, y = half(b, 1)
		_, logits = b.ForwardWith(w, x)
		return logits.CrossEntropy(y).Mean(), nil
	})
	got, _ := trainOne(t, newEager(t), net, images, job, torch.All, sgd)
	near(t, "MAML", got, want, 2e-4)
	first := sgd
	first.Objective = plain
	if first, _ := trainOne(t, newEager(t), net, images, job, torch.All, first); slices.Equal(first, got) {
		t.Error("the inner step does nothing")
	}
}

// TestCustomExtra checks that an objective can change its own values from batch to batch, and that they are returned after
// the training.
func TestCustomExtra(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 100, models.Options{})
	job.Extra = vectorOf(t, 1, 2)
	sgd := paritySGD
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		extra := b.Extra()
		half := extra.Square().Sum().Scale(0.5)
		b.SetExtra(extra.Plus(-0.5, half.Gradient(extra)[0])) // halves the values
		return b.CrossEntropy().Add(half), nil
	})
	for name, e := range map[string]torch.Executor{"eager": newEager(t), "engine": newEngine(t, 1)} {
		trained, err := e.Train(net, images, []torch.Job{job}, torch.All, sgd)
		if err != nil {
			t.Fatal(name, err)
		}
		near(t, name, values(t, trained[0].Extra), []float32{1. / 1024, 2. / 1024}, 0)
		closeAll(trained)
	}
	near(t, "the job's own", values(t, job.Extra), []float32{1, 2}, 0)
}

// TestCustomBatchNorm checks that running statistics of batch norms change as without an objective, and that an evaluation
// of the received weights does not change them.
func TestCustomBatchNorm(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	net, err := models.New("resnet9", [3]int{1, 28, 28}, 10, false, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	images := hashedImages(t, net.Input(), 4, 11)
	job := torch.Job{Start: vectorOf(t, hashedState(net)...), Samples: counted(4), Order: [][]int32{counted(4)}}
	sgd := torch.SGD{Batch: 4, LearningRate: 1e-3}
	want, _ := trainOne(t, newEager(t), net, images, job, torch.All, sgd)
	before := values(t, job.Start)
	sgd.Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		_, far := b.ForwardReceived(b.Images)
		return b.CrossEntropy().Plus(0, far.Sum()), nil
	})
	got, _ := trainOne(t, newEager(t), net, images, job, torch.All, sgd)
	near(t, "with the received weights", got, want, 0)
	near(t, "the received weights", values(t, job.Start), before, 0)
	buffers := net.Buffers(torch.Primary)
	if slices.Equal(got[buffers.Begin:buffers.End], before[buffers.Begin:buffers.End]) {
		t.Error("the running statistics stand still")
	}
}
