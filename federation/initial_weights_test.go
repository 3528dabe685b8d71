package federation_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestInitialWeights checks that θ^0 has the weights of a file, with or without the prefix of the encoder, that models which must
// differ share its encoder, and that tensors of another network give errors that name the tensor and the shapes.
func TestInitialWeights(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	net, err := e.Net(false)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, net.Len())
	for k := range want {
		want[k] = float32(k)
	}
	file := func() []torch.NamedTensor { return federation.TensorsOf(net, slices.Clone(want), torch.All) }
	bare := file()
	for i := range bare {
		bare[i].Name = strings.TrimPrefix(bare[i].Name, "primary.")
	}
	for _, tensors := range [][]torch.NamedTensor{file(), bare} {
		e := federationtest.TinyEnv(t, 1)
		if err := e.SetInitialWeights(tensors); err != nil || !slices.Equal(e.InitialState(net), want) {
			t.Errorf("%v: θ^0 is %v", err, e.InitialState(net))
		}
		x, head := e.RandomState(net, e.InitStream(1)), net.Range(torch.Head)
		if !slices.Equal(x[:head.Begin], want[:head.Begin]) || slices.Equal(x[head.Begin:], want[head.Begin:]) {
			t.Errorf("another start is %v", x)
		}
	}
	for hint, change := range map[string]func([]torch.NamedTensor) []torch.NamedTensor{
		"no tensor primary.fc1.weight, which has the shape [6 16]": func(x []torch.NamedTensor) []torch.NamedTensor { return x[1:] },
		"tensor head.bias has the shape [3], but this network needs [4]": func(x []torch.NamedTensor) []torch.NamedTensor {
			x[3].Shape, x[3].Data = []int{3}, x[3].Data[:3]
			return x
		},
		"tensor secondary.fc1.weight is not part": func(x []torch.NamedTensor) []torch.NamedTensor {
			return append(x, torch.NamedTensor{Name: "secondary.fc1.weight", Shape: []int{1}, Data: []float32{1}})
		},
		"head.weight has a value that is infinite or NaN": func(x []torch.NamedTensor) []torch.NamedTensor {
			x[2].Data[1] = float32(math.NaN())
			return x
		},
	} {
		if err := e.SetInitialWeights(change(file())); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%v, want %q", err, hint)
		}
	}
	if slices.Equal(e.InitialState(net), want) {
		t.Error("a file that does not fit was taken")
	}
}
