package torch_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// parityCase is ten steps of plain PyTorch, made by testdata/make_fixtures.py.
type parityCase struct {
	Model   string
	Dual    bool
	Parts   []string
	Seed    uint32 // seed of the images
	Losses  []float64
	Tensors map[string]moved
}

// moved describes how a tensor changed in PyTorch.
type moved struct {
	Norm float64   // norm of the change
	Step int       // every Step-th value is kept
	End  []float64 // those values after training
}

// hashed returns n values of a stream with the script's integer hash.
func hashed(stream uint32, n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		h := uint32(i) + stream*0x9E3779B9
		h ^= h >> 16
		h *= 0x85EBCA6B
		h ^= h >> 13
		h *= 0xC2B2AE35
		out[i] = h ^ h>>16
	}
	return out
}

const parityN, parityEpochs = 22, 2

var paritySGD = torch.SGD{Batch: 5, LearningRate: 0.05, Momentum: 0.5, WeightDecay: 1e-4}

func partsOf(names []string) torch.Part {
	var parts torch.Part
	for _, n := range names {
		parts |= map[string]torch.Part{"primary": torch.Primary, "secondary": torch.Secondary, "head": torch.Head}[n]
	}
	return parts
}

// parityJob returns the script's network, images and job.
func parityJob(t *testing.T, model string, dual bool, seed uint32, o models.Options) (*torch.Network, *torch.Images, torch.Job) {
	t.Helper()
	input := map[string][3]int{"lenet": {1, 28, 28}, "cnn": {3, 32, 32}}[model]
	net, err := models.New(model, input, 10, dual, o)
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, net.Len())
	unit := hashed(1, net.Len())
	for _, p := range net.Params() {
		fan := 1
		for _, s := range p.Shape[1:] {
			fan *= s
		}
		if strings.HasSuffix(p.Name, ".bias") { // shares its weight's fan-in
			fan = (p.Range.Begin - lastWeight(net, p).Begin) / p.Shape[0]
		}
		for i := p.Range.Begin; i < p.Range.End; i++ {
			weights[i] = float32((2*(float64(unit[i])/(1<<32)) - 1) / math.Sqrt(float64(fan)))
		}
	}
	start, err := torch.VectorOf(torch.CPU, weights)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(start.Close)
	pixels := make([]byte, parityN*input[0]*input[1]*input[2])
	for i, h := range hashed(seed, len(pixels)) {
		pixels[i] = byte(h >> 24)
	}
	labels := make([]uint8, parityN)
	for i, h := range hashed(3, parityN) {
		labels[i] = uint8(h % 10)
	}
	mean, std := []float32{.45, .45, .45}[:input[0]], []float32{.25, .25, .25}[:input[0]]
	images, err := torch.NewImages(torch.CPU, pixels, input, labels, mean, std)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(images.Close)
	job := torch.Job{Client: 7, Start: start, Seed: 11}
	for i := range parityN {
		job.Samples = append(job.Samples, int32(i))
	}
	for e := range parityEpochs {
		keys := hashed(10+uint32(e), parityN)
		order := slices.Clone(job.Samples)
		sort.SliceStable(order, func(a, b int) bool { return keys[order[a]] < keys[order[b]] })
		job.Order = append(job.Order, order)
	}
	return net, images, job
}

// lastWeight is the range of the weight to which a bias belongs.
func lastWeight(net *torch.Network, bias torch.Param) torch.Range {
	want := strings.TrimSuffix(bias.Name, ".bias") + ".weight"
	for _, p := range net.Params() {
		if p.Name == want {
			return p.Range
		}
	}
	return torch.Range{}
}

// executors are all executors that must agree.
func executors(t *testing.T) map[string]torch.Executor {
	t.Helper()
	engine, err := torch.NewEngine(torch.CPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := torch.NewEngine(torch.CPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	plain.Plain = true
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	t.Cleanup(plain.Close)
	all := map[string]torch.Executor{"engine": engine, "plain engine": plain, "eager": eager}
	for name, method := range map[string]torch.ConvMethod{
		"batched": torch.ChooseFastest, "batched grouped": torch.Grouped, "batched per client": torch.PerClient, "batched fused": torch.Fused,
	} {
		batched, err := torch.NewBatched(torch.CPU, torch.BatchedOptions{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(batched.Close)
		all[name] = batched
	}
	return all
}

// TestTenStepsEqualPyTorch checks that the engine (fused and plain) and the eager executor equal PyTorch to 1e-5 after ten
// steps, whichever parts are frozen, and that frozen parts keep their bits.
func TestTenStepsEqualPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct{ Cases []parityCase }
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	for _, c := range fixture.Cases {
		for name, executor := range executors(t) {
			if strings.HasPrefix(name, "batched") {
				continue // the network is compared with eager
			}
			t.Run(fmt.Sprintf("%s/dual=%v/%s/%s", c.Model, c.Dual, strings.Join(c.Parts, "+"), name), func(t *testing.T) {
				net, images, job := parityJob(t, c.Model, c.Dual, c.Seed, models.Options{})
				parts := partsOf(c.Parts)
				trained, err := executor.Train(net, images, []torch.Job{job}, parts, paritySGD)
				if err != nil {
					t.Fatal(err)
				}
				defer trained[0].End.Close()
				equalsPyTorch(t, net, job.Start, trained[0], parts, c.Losses, c.Tensors, 2e-5)
			})
		}
	}
}

// equalsPyTorch compares a training with PyTorch's: losses and values to 1e-5, and the norm of each tensor's change to the
// relative tolerance lengthTolerance. Parts that were not trained must keep their bits.
func equalsPyTorch(t *testing.T, net *torch.Network, from *torch.Vector, got torch.Trained, parts torch.Part,
	losses []float64, tensors map[string]moved, lengthTolerance float64) {
	t.Helper()
	for e, want := range losses {
		if loss := got.Loss[e]; math.Abs(loss-want) > 1e-5*want {
			t.Errorf("epoch %d: loss %.8f, PyTorch %.8f", e, loss, want)
		}
	}
	start, end := values(t, from), values(t, got.End)
	worst, worstLength, longest := 0.0, 0.0, ""
	for _, p := range net.Params() {
		want, ok := tensors[p.Name]
		if !ok {
			t.Fatalf("PyTorch has no %s", p.Name)
		}
		change := 0.0
		for i := p.Range.Begin; i < p.Range.End; i++ {
			change += math.Pow(float64(end[i])-float64(start[i]), 2)
			if p.Part&parts == 0 && end[i] != start[i] {
				t.Fatalf("%s is frozen and moved", p.Name)
			}
		}
		length := math.Sqrt(change)
		if math.Abs(length-want.Norm) > lengthTolerance*want.Norm+1e-7 {
			t.Errorf("%s moved by %.8f, PyTorch's by %.8f", p.Name, length, want.Norm)
		}
		if d := math.Abs(length/want.Norm - 1); want.Norm > 0 && d > worstLength {
			worstLength, longest = d, p.Name
		}
		for k, w := range want.End {
			diff := math.Abs(float64(end[p.Range.Begin+k*want.Step]) - w)
			worst = max(worst, diff)
			if diff > 1e-5*max(1, math.Abs(w)) {
				t.Fatalf("%s[%d] differs from PyTorch's by %g", p.Name, k*want.Step, diff)
			}
		}
	}
	t.Logf("largest difference %.2g, of a length %.2g (%s)", worst, worstLength, longest)
}

func values(t *testing.T, v *torch.Vector) []float32 {
	t.Helper()
	x, err := v.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestExecutorsAgreeOnTheRest checks that the executors also agree with dropout, a label map, a proximal term and sample
// weights.
func TestExecutorsAgreeOnTheRest(t *testing.T) {
	net, images, job := parityJob(t, "lenet", true, 100, models.Options{Dropout: 0.3})
	job.LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	anchor := values(t, job.Start)
	for i, h := range hashed(5, len(anchor)) {
		anchor[i] += float32(h%1000)/1e4 - 0.05
	}
	job.Proximal, job.Anchor = 0.1, vectorOf(t, anchor...)
	for _, h := range hashed(6, parityN) {
		job.Weights = append(job.Weights, float32(h%1000)/500)
	}
	agree(t, net, images, job, torch.Primary|torch.Head, paritySGD)
}

// agree runs a job on every executor and checks that their weights and losses differ by at most 1e-5.
func agree(t *testing.T, net *torch.Network, images *torch.Images, job torch.Job, parts torch.Part, sgd torch.SGD) {
	t.Helper()
	ends, losses := map[string][]float32{}, map[string][]float64{}
	for name, executor := range executors(t) {
		trained, err := executor.Train(net, images, []torch.Job{job}, parts, sgd)
		if err != nil {
			t.Fatal(name, err)
		}
		ends[name], losses[name] = values(t, trained[0].End), trained[0].Loss
		trained[0].End.Close()
	}
	for name, end := range ends {
		for i, w := range ends["eager"] {
			if diff := math.Abs(float64(end[i] - w)); !(diff <= 1e-5) {
				t.Fatalf("%s: value %d differs from eager's by %g", name, i, diff)
			}
		}
		for e, w := range losses["eager"] {
			if got := losses[name][e]; !(math.Abs(got-w) <= 1e-5*math.Abs(w)) {
				t.Errorf("%s: epoch %d has loss %g, eager's %g", name, e, got, w)
			}
		}
	}
}

// TestPredictionsAgree checks that predictions are equal, and that everything else that a prediction returns is equal to
// 1e-5.
func TestPredictionsAgree(t *testing.T) {
	for _, model := range []string{"lenet", "cnn"} {
		net, images, job := parityJob(t, model, true, 100, models.Options{Dropout: 0.5})
		results := map[string]torch.Predicted{}
		for name, executor := range executors(t) {
			p, err := executor.Predict(net, images, []torch.Prediction{{
				State: job.Start, Samples: job.Samples, LabelMap: []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
				LogProbabilities: true, Features: true,
			}})
			if err != nil {
				t.Fatal(name, err)
			}
			results[name] = p[0]
		}
		want := results["eager"]
		for name, got := range results {
			if !slices.Equal(got.Classes, want.Classes) {
				t.Errorf("%s: %s predicts other classes than eager", model, name)
			}
			if math.Abs(got.Loss-want.Loss) > 1e-5 {
				t.Errorf("%s: %s has loss %g, eager %g", model, name, got.Loss, want.Loss)
			}
			for what, pair := range map[string][2][]float32{
				"losses":            {got.Losses, want.Losses},
				"log-probabilities": {got.LogProbabilities, want.LogProbabilities},
				"features":          {got.Features, want.Features},
			} {
				near := func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5 }
				if len(pair[1]) == 0 || !slices.EqualFunc(pair[0], pair[1], near) {
					t.Errorf("%s: %s has other %s than eager", model, name, what)
				}
			}
		}
	}
}
