package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// shapes lists shapes that the models accept, with the number of parameters of one encoder and a head of ten classes.
var shapes = []struct {
	model  string
	input  [3]int
	values int
}{
	{"lenet", [3]int{1, 28, 28}, 61706},
	{"lenet", [3]int{3, 32, 32}, 62006}, // like PACFL's LeNet-5 on CIFAR-10
	{"lenet", [3]int{1, 32, 32}, 61706},
	{"lenet", [3]int{3, 28, 28}, 62006},
	{"lenet", [3]int{1, 12, 12}, 61706 - (400-16)*120},
	{"lenet", [3]int{3, 31, 40}, 62006 + (16*5*8-400)*120},
	{"lenet", [3]int{3, 64, 48}, 62006 + (16*13*9-400)*120},
	{"cnn", [3]int{3, 32, 32}, 537610},
	{"cnn", [3]int{1, 32, 32}, 537610 - 2*9*64},
	{"cnn", [3]int{3, 16, 16}, 537610},
	{"cnn", [3]int{1, 28, 28}, 537610 - 2*9*64 + (2304-1024)*128},
	{"cnn", [3]int{3, 17, 40}, 537610 + (256*2*5-1024)*128},
	{"cnn", [3]int{3, 64, 64}, 537610 + (256*6*6-1024)*128},
	{"resnet9", [3]int{3, 32, 32}, 6573130},
	{"resnet9", [3]int{1, 28, 28}, 6573130 - 2*9*64},
	{"resnet18", [3]int{3, 32, 32}, 11173962},
	{"resnet18", [3]int{1, 28, 28}, 11173962 - 2*9*64},
}

// Every model has the expected number of parameters for its shape, without the running statistics of batch norms.
func TestParameters(t *testing.T) {
	for _, x := range shapes {
		net, err := models.New(x.model, x.input, 10, false, models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range net.Trained(torch.All) {
			n += r.Len()
		}
		if n != x.values {
			t.Errorf("%s for %v has %d parameters, want %d", x.model, x.input, n, x.values)
		}
	}
}

// One step of the engines equals the step of the eager executor, for the encoders and the head and for every shape of the images.
// Values that rounding moves across the kink of a ReLU may differ more, so the tolerance is 1e-3.
func TestOneStep(t *testing.T) {
	eager, err := torch.NewEager()
	if err != nil {
		t.Fatal(err)
	}
	fused, err := torch.NewEngine(torch.CPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer fused.Close()
	plain, err := torch.NewEngine(torch.CPU, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.Plain = true
	batched, err := torch.NewBatched(torch.CPU, torch.BatchedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer batched.Close()
	for _, x := range shapes {
		if strings.HasPrefix(x.model, "resnet") {
			continue // see torch's own tests
		}
		net, err := models.New(x.model, x.input, 10, true, models.Options{Dropout: 0.2})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		start := make([]float32, net.Len())
		net.Init(start, torch.All, r)
		job := torch.Job{Start: vectorOf(t, start), Samples: []int32{0, 1, 2, 3}, Order: [][]int32{{2, 0, 3, 1}}, Seed: 5}
		images := randomImages(t, x.input, 4, r)
		sgd := torch.SGD{Batch: 4, LearningRate: 0.1}
		want := step(t, eager, net, images, job, sgd)
		for name, e := range map[string]torch.Executor{"fused": fused, "plain": plain, "batched": batched} {
			got := step(t, e, net, images, job, sgd)
			var apart, moved float64
			for i := range want {
				apart += math.Pow(float64(got[i]-want[i]), 2)
				moved += math.Pow(float64(want[i]-start[i]), 2)
			}
			if off := math.Sqrt(apart / moved); !(off <= 1e-3) {
				t.Errorf("%s for %v: the %s engine's step is off by %.2g", x.model, x.input, name, off)
			}
		}
	}
}

func step(t *testing.T, e torch.Executor, net *torch.Network, images *torch.Images, job torch.Job, sgd torch.SGD) []float32 {
	t.Helper()
	trained, err := e.Train(net, images, []torch.Job{job}, torch.All, sgd)
	if err != nil {
		t.Fatal(err)
	}
	defer trained[0].End.Close()
	end, err := trained[0].End.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func vectorOf(t *testing.T, x []float32) *torch.Vector {
	t.Helper()
	v, err := torch.VectorOf(torch.CPU, x)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func randomImages(t *testing.T, shape [3]int, n int, r *rand.Rand) *torch.Images {
	t.Helper()
	pixels, labels := make([]byte, n*shape[0]*shape[1]*shape[2]), make([]uint8, n)
	for i := range pixels {
		pixels[i] = byte(r.IntN(256))
	}
	for i := range labels {
		labels[i] = uint8(r.IntN(10))
	}
	mean, std := []float32{.45, .45, .45}, []float32{.25, .25, .25}
	images, err := torch.NewImages(torch.CPU, pixels, shape, labels, mean[:shape[0]], std[:shape[0]])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(images.Close)
	return images
}

// If no model is named, the default for the shape accepts the shape.
func TestDefaults(t *testing.T) {
	for shape, want := range map[[3]int]string{
		{1, 28, 28}: "lenet", {3, 32, 32}: "cnn", {3, 28, 28}: "cnn", {1, 32, 32}: "cnn", {3, 64, 64}: "cnn", {1, 16, 16}: "cnn", {1, 15, 40}: "lenet",
	} {
		name, err := models.Default(shape)
		if err != nil || name != want {
			t.Errorf("%v: %q, %v, want %s", shape, name, err, want)
		}
		if _, err := models.New(name, shape, 10, false, models.Options{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := models.Default([3]int{3, 8, 8}); err == nil || !strings.Contains(err.Error(), "no model takes images of 3x8x8") || !strings.Contains(err.Error(), "size=32") {
		t.Error(err)
	}
	if got, want := models.Defaults(), "cnn for images of 3x32x32, lenet for images of 1x28x28, cnn for other shapes that it takes"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range models.Names() {
		input, err := models.Input(name)
		if err != nil {
			t.Error(err)
		}
		if _, err := models.New(name, input, 10, false, models.Options{}); err != nil {
			t.Error(err)
		}
	}
}

// For a shape that a model does not accept, the error says which shapes it accepts, which models accept the shape, and what to
// do.
func TestShapeErrors(t *testing.T) {
	for _, x := range []struct {
		model string
		input [3]int
		want  string
	}{
		{"resnet18", [3]int{3, 64, 64}, "model resnet18 takes square images of 28 to 35 pixels with one or three channels, but these are 3x64x64 (channels x height x width): use --model cnn or lenet, or resize them if the data set can (--dataset-option size=32)"},
		{"resnet9", [3]int{3, 32, 30}, "use --model cnn or lenet"},
		{"cnn", [3]int{1, 12, 20}, "takes images of 16x16 pixels or more with one or three channels, but these are 1x12x20 (channels x height x width): use --model lenet"},
		{"lenet", [3]int{1, 8, 8}, "takes images of 12x12 pixels or more with one or three channels, but these are 1x8x8 (channels x height x width): resize them"},
		{"cnn", [3]int{2, 32, 32}, "one or three channels"},
		{"lennet", [3]int{1, 28, 28}, `model "lennet" is unknown; there are cnn`},
	} {
		if _, err := models.New(x.model, x.input, 10, false, models.Options{}); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s for %v: %v, want %q", x.model, x.input, err, x.want)
		}
	}
	if _, err := models.New("resnet9", [3]int{3, 32, 32}, 10, false, models.Options{Norm: "layer"}); err == nil || !strings.Contains(err.Error(), "batch, group") {
		t.Error(err)
	}
}

// A model has a network for every shape that it accepts, from the smallest size on.
func TestEverySize(t *testing.T) {
	for _, name := range []string{"cnn", "lenet"} {
		for h := range 70 {
			input := [3]int{1 + 2*(h%2), h, 16 + h%7}
			_, err := models.New(name, input, 10, false, models.Options{})
			smallest := map[string]int{"cnn": 16, "lenet": 12}[name]
			if taken := h >= smallest; taken != (err == nil) {
				t.Errorf("%s for %v: %v", name, input, err)
			}
		}
	}
}

// A second model with the same name, default shape or fallback is a programming error.
func TestRegisterTwice(t *testing.T) {
	layers := func([3]int, models.Options) []torch.Layer { return []torch.Layer{torch.Flatten{}} }
	all := func([3]int) bool { return true }
	for name, m := range map[string]models.Model{
		"cnn": {}, "claims": {Default: [][3]int{{3, 32, 32}}}, "falls back": {Fallback: true},
	} {
		m.Takes, m.Layers = all, layers
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "have the same name, default shape or fallback") {
					t.Errorf("%s: %v", name, p)
				}
			}()
			models.Register(name, m)
		}()
	}
	if slices.Contains(models.Names(), "claims") {
		t.Error("a refused model is registered")
	}
}

// A model declares an option if and only if the option changes its layers.
func TestDeclaredFlags(t *testing.T) {
	changed := map[string]models.Options{
		models.FlagDropout: {Dropout: 0.5},
		models.FlagNorm:    {Norm: "group"},
	}
	if got := models.Flags(); len(got) != len(changed) {
		t.Fatalf("options %v", got)
	}
	for _, name := range models.Names() {
		input, err := models.Input(name)
		if err != nil {
			t.Fatal(err)
		}
		build := func(o models.Options) *torch.Network {
			net, err := models.New(name, input, 10, false, o)
			if err != nil {
				t.Fatal(err)
			}
			return net
		}
		for flag, o := range changed {
			differs := !reflect.DeepEqual(build(models.Options{}), build(o))
			if declared := slices.Contains(models.Readers(flag), name); declared != differs {
				t.Errorf("%s: --%s changes the network: %t, and it is declared: %t", name, flag, differs, declared)
			}
		}
	}
	if got := models.DefaultNames(); !slices.Equal(got, []string{"cnn", "lenet"}) {
		t.Errorf("default models %v", got)
	}
}
