package torch_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"feddag/models"
	"feddag/torch"
)

func newEngine(t *testing.T, workers int) *torch.Engine {
	t.Helper()
	e, err := torch.NewEngine(torch.CPU, workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func train(t *testing.T, e torch.Executor, net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part) [][]float32 {
	t.Helper()
	trained, err := e.Train(net, images, jobs, parts, paperSGD)
	if err != nil {
		t.Fatal(err)
	}
	var ends [][]float32
	for _, r := range trained {
		ends = append(ends, values(t, r.End))
		r.End.Close()
	}
	return ends
}

// TestSameBitsWhateverTheWorkers checks that the number of workers, the order of the jobs and a second run change no bit.
func TestSameBitsWhateverTheWorkers(t *testing.T) {
	for model, input := range map[string][3]int{"lenet": {1, 28, 28}, "cnn": {3, 32, 32}} {
		for _, parts := range []torch.Part{torch.Primary | torch.Head, torch.Secondary} {
			net, images, jobs := workload(t, model, input, true, 4, 40, 2)
			for i := range jobs { // ragged: 40, 33, 26, 19 samples
				jobs[i].Samples = jobs[i].Samples[:40-7*i]
				for e, order := range jobs[i].Order {
					jobs[i].Order[e] = slices.DeleteFunc(slices.Clone(order), func(p int32) bool { return int(p) >= len(jobs[i].Samples) })
				}
			}
			want := train(t, newEngine(t, 1), net, images, jobs, parts)
			for _, workers := range []int{1, 2, 3} {
				for i, end := range train(t, newEngine(t, workers), net, images, jobs, parts) {
					if !slices.Equal(end, want[i]) {
						t.Errorf("%s, %d workers: client %d has other bits", model, workers, i)
					}
				}
			}
			slices.Reverse(jobs)
			slices.Reverse(want)
			for i, end := range train(t, newEngine(t, 2), net, images, jobs, parts) {
				if !slices.Equal(end, want[i]) {
					t.Errorf("%s, jobs reversed: client %d has other bits", model, jobs[i].Client)
				}
			}
		}
	}
}

// TestSmallestClients checks that one sample, a batch larger than the client, and an epoch of one step are all defined.
func TestSmallestClients(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 2, 1, 3)
	for i, end := range train(t, newEngine(t, 2), net, images, jobs, torch.All) {
		if slices.ContainsFunc(end, func(x float32) bool { return math.IsNaN(float64(x)) }) {
			t.Errorf("client %d has NaN weights", i)
		}
	}
}

// TestRateZeroChangesNothing checks that with a learning rate of 0 no bit changes.
func TestRateZeroChangesNothing(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, true, 1, 20, 1)
	sgd := paperSGD
	sgd.LearningRate = 0
	trained, err := newEngine(t, 1).Train(net, images, jobs, torch.All, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer trained[0].End.Close()
	if !slices.Equal(values(t, trained[0].End), values(t, jobs[0].Start)) {
		t.Error("weights moved at rate 0")
	}
}

// TestProximalTerm checks that a proximal term pulls towards the start: the larger µ, the shorter the distance. µ = 0 gives
// the bits of no term.
func TestProximalTerm(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 1, 64, 5)
	distance := func(mu float64) float64 {
		sgd := paperSGD
		sgd.Batch, jobs[0].Proximal = 16, mu
		trained, err := newEngine(t, 1).Train(net, images, jobs, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer trained[0].End.Close()
		sum := 0.0
		start := values(t, jobs[0].Start)
		for i, x := range values(t, trained[0].End) {
			sum += math.Pow(float64(x-start[i]), 2)
		}
		return math.Sqrt(sum)
	}
	if d0, d1, d10 := distance(0), distance(1), distance(10); !(d0 > d1 && d1 > d10) {
		t.Errorf("distances %g, %g, %g for µ = 0, 1, 10", d0, d1, d10)
	}
}

// TestProximalAnchor checks that a strong proximal term pulls the weights to the anchor.
func TestProximalAnchor(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 1, 32, 20)
	anchor := make([]float32, net.Len())
	for i, x := range values(t, jobs[0].Start) {
		anchor[i] = x + 0.02
	}
	jobs[0].Anchor, jobs[0].Proximal = vectorOf(t, anchor...), 500
	sgd := paperSGD
	sgd.LearningRate, sgd.Momentum = 0.001, 0 // each step covers half of the distance: lr µ = 0.5
	trained, err := newEngine(t, 1).Train(net, images, jobs, torch.All, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer trained[0].End.Close()
	var sum float64
	for i, x := range values(t, trained[0].End) {
		sum += math.Pow(float64(x-anchor[i]), 2)
	}
	if rms := math.Sqrt(sum / float64(net.Len())); rms > 0.002 {
		t.Errorf("still %g a weight from the anchor, 0.02 at the start", rms)
	}
}

// TestSampleWeights checks that weights of 1 give the bits of no weights, and that a weight of 0 leaves a sample out of the
// gradient but not out of the mean.
func TestSampleWeights(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 1, 20, 2)
	end := func(weights []float32, lr float64) []float32 {
		jobs[0].Weights = weights
		sgd := paperSGD
		sgd.LearningRate = lr
		trained, err := newEngine(t, 1).Train(net, images, jobs, torch.All, sgd)
		if err != nil {
			t.Fatal(err)
		}
		defer trained[0].End.Close()
		return values(t, trained[0].End)
	}
	none, ones, halves := end(nil, 0.01), end(slices.Repeat([]float32{1}, 20), 0.01), end(slices.Repeat([]float32{.5}, 20), 0.02)
	if !slices.Equal(none, ones) {
		t.Error("weights of 1 change bits")
	}
	for i := range none {
		if math.Abs(float64(none[i]-halves[i])) > 1e-5 {
			t.Fatal("half the loss at twice the rate goes another way")
		}
	}
}

// TestEngineErrors checks that a C++ exception becomes an error that names the client, and the layer if there is one, and
// that the engine still works.
func TestEngineErrors(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 2, 10, 1)
	other, _, otherJobs := workload(t, "cnn", [3]int{3, 32, 32}, false, 1, 10, 1)
	e := newEngine(t, 2)
	change := func(fn func(j *torch.Job)) []torch.Job {
		j := slices.Clone(jobs)
		fn(&j[1])
		return j
	}
	closed := vectorOf(t, make([]float32, net.Len())...)
	closed.Close()
	for name, c := range map[string]struct {
		net  *torch.Network
		jobs []torch.Job
		sgd  torch.SGD
		want string
	}{
		"another network's images":  {other, otherJobs, paperSGD, "images of [1, 28, 28]"},
		"another network's weights": {net, change(func(j *torch.Job) { j.Start = otherJobs[0].Start }), paperSGD, "client 1: the start vector has"},
		"a closed start":            {net, change(func(j *torch.Job) { j.Start = closed }), paperSGD, "client 1: the start vector is closed"},
		"a sample outside":          {net, change(func(j *torch.Job) { j.Samples = []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 20} }), paperSGD, "client 1: sample 9 is 20, outside 0..19"},
		"no samples":                {net, change(func(j *torch.Job) { j.Samples, j.Order = nil, [][]int32{{}} }), paperSGD, "client 1: no samples"},
		"a short order":             {net, change(func(j *torch.Job) { j.Order = [][]int32{{0}} }), paperSGD, "client 1: the order has 1"},
		"a position outside":        {net, change(func(j *torch.Job) { j.Order = [][]int32{{0, 1, 2, 3, 4, 5, 6, 7, 8, 10}} }), paperSGD, "client 1: position 9 is 10"},
		"no batch":                  {net, jobs, torch.SGD{}, "the batch has 0"},
		"a closed anchor":           {net, change(func(j *torch.Job) { j.Anchor = closed }), paperSGD, "client 1: the anchor is closed"},
		"another network's anchor":  {net, change(func(j *torch.Job) { j.Anchor = otherJobs[0].Start }), paperSGD, "client 1: the anchor has"},
		"too few weights":           {net, change(func(j *torch.Job) { j.Weights = []float32{1} }), paperSGD, "client 1: 1 weights for 10 samples"},
		"a label beyond the map":    {net, change(func(j *torch.Job) { j.LabelMap = []uint8{0} }), paperSGD, "client 1: "},
		"a label beyond the head":   {net, change(func(j *torch.Job) { j.LabelMap = []uint8{99, 99, 99, 99, 99, 99, 99, 99, 99, 99} }), paperSGD, "client 1: "},
	} {
		trained, err := e.Train(c.net, images, c.jobs, torch.All, c.sgd)
		if err == nil || trained != nil {
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "frame #") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := e.Predict(net, images, []torch.Prediction{{State: jobs[0].Start, Samples: []int32{20}}}); err == nil {
		t.Error("a prediction for a sample outside: no error")
	}
	train(t, e, net, images, jobs, torch.All)
}

// TestEagerErrors checks that the eager executor, which runs gotorch's panicking operators, names the client and the batch.
func TestEagerErrors(t *testing.T) {
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 1, 10, 1)
	_, wrong, _ := workload(t, "cnn", [3]int{3, 32, 32}, false, 1, 10, 1)
	if _, err := eager.Train(net, wrong, jobs, torch.All, paperSGD); err == nil || !strings.Contains(err.Error(), "client 0: ") {
		t.Errorf("images of another shape: %v", err)
	}
	jobs[0].LabelMap = []uint8{99, 99, 99, 99, 99, 99, 99, 99, 99, 99}
	if _, err := eager.Train(net, images, jobs, torch.All, paperSGD); err == nil || !strings.Contains(err.Error(), "client 0: epoch 0, batch 0: sample 1 has label 99") {
		t.Errorf("labels beyond the head: %v", err)
	}
}

func TestNetworkErrors(t *testing.T) {
	conv := torch.Conv2d{Name: "conv1", In: 1, Out: 2, Kernel: 3, Stride: 1}
	for name, c := range map[string]struct {
		layers []torch.Layer
		want   string
	}{
		"channels":      {[]torch.Layer{torch.Conv2d{Name: "conv1", In: 3, Out: 2, Kernel: 3, Stride: 1}}, "conv1 takes 3 channels, but gets 1"},
		"kernel":        {[]torch.Layer{torch.Conv2d{Name: "conv1", In: 1, Out: 2, Kernel: 9, Stride: 1}}, "larger than its input"},
		"not flat":      {[]torch.Layer{conv}, "flat feature vector"},
		"width":         {[]torch.Layer{torch.Flatten{}, torch.Linear{Name: "fc1", In: 5, Out: 2}}, "fc1 takes 5 features"},
		"linear on map": {[]torch.Layer{conv, torch.Linear{Name: "fc1", In: 2, Out: 2}}, "fc1 takes 2 features"},
		"window":        {[]torch.Layer{conv, torch.MaxPool2d{Size: 7}}, "the window size is 7"},
		"dropout":       {[]torch.Layer{torch.Dropout{P: 1}}, "0 <= p < 1"},
	} {
		_, err := torch.NewNetwork(c.layers, [3]int{1, 8, 8}, 10, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := models.New("lenet", [3]int{1, 8, 8}, 10, false, models.Options{}); err == nil || !strings.Contains(err.Error(), "lenet takes") {
		t.Errorf("images that are too small for lenet: %v", err)
	}
	if _, err := models.New("vgg", [3]int{3, 32, 32}, 10, false, models.Options{}); err == nil || !strings.Contains(err.Error(), "cnn, lenet, resnet18, resnet9") {
		t.Errorf("an unknown model: %v", err)
	}
}

// TestModelSizes checks the sizes of the paper's models.
func TestModelSizes(t *testing.T) {
	for _, c := range []struct {
		model        string
		input        [3]int
		single, dual int
	}{{"lenet", [3]int{1, 28, 28}, 61706, 123402}, {"cnn", [3]int{3, 32, 32}, 537610, 1075210}} {
		for dual, want := range map[bool]int{false: c.single, true: c.dual} {
			net, err := models.New(c.model, c.input, 10, dual, models.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if net.Len() != want {
				t.Errorf("%s, dual %v: %d parameters, want %d", c.model, dual, net.Len(), want)
			}
		}
	}
}

// TestCancel checks that Cancel ends a running call soon, with ErrCancelled.
func TestCancel(t *testing.T) {
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, false, 2, 50, 100000)
	e := newEngine(t, 2)
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

// residentBytes returns the resident memory of the process.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm: ", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestMemoryIsFlat checks that repeated training keeps the number of live handles constant and resident memory within 5%.
func TestMemoryIsFlat(t *testing.T) {
	// The C library keeps freed memory per thread, so each thread to which this goroutine moved would keep some.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	net, images, jobs := workload(t, "lenet", [3]int{1, 28, 28}, true, 4, 64, 1)
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		executor torch.Executor
		rounds   int
	}{"engine": {newEngine(t, 2), 200}, "eager": {eager, 30}} {
		round := func() {
			train(t, c.executor, net, images, jobs, torch.Primary|torch.Head)
			runtime.GC()
		}
		for range 40 { // until the allocators reach their final size
			round()
		}
		handles, bytes := settled()
		before := residentBytes(t)
		for range c.rounds {
			round()
		}
		after := residentBytes(t)
		if h, b := settled(); h != handles || b != bytes {
			t.Errorf("%s: %d handles and %d bytes became %d and %d", name, handles, bytes, h, b)
		}
		if float64(after) > 1.05*float64(before) {
			t.Errorf("%s: resident memory grew from %d to %d MB", name, before>>20, after>>20)
		}
		t.Log(name, fmt.Sprintf("%d -> %d MB", before>>20, after>>20))
	}
}
