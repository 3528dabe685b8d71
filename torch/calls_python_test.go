package torch

import (
	"slices"
	"strings"
	"testing"
)

// TestCallsNameEveryTensor checks that the calls of PyTorch name every tensor of an encoder, including residual layers, and
// nothing else.
func TestCallsNameEveryTensor(t *testing.T) {
	layers := []Layer{
		Conv2d{Name: "conv", In: 1, Out: 4, Kernel: 3, Stride: 2, Padding: 1, NoBias: true},
		BatchNorm2d{Name: "bn", Channels: 4},
		Residual{
			Body:     []Layer{Conv2d{Name: "a.conv", In: 4, Out: 8, Kernel: 3, Stride: 1, Padding: 1}, GroupNorm{Name: "a.norm", Groups: 2, Channels: 8}},
			Shortcut: []Layer{Conv2d{Name: "a.short", In: 4, Out: 8, Kernel: 1, Stride: 1}},
		},
		ReLU{}, MaxPool2d{Size: 2}, AvgPool2d{Size: 2}, Flatten{},
		Linear{Name: "fc", In: 8, Out: 5}, ReLU{}, Dropout{P: 0.5},
	}
	net, err := NewNetwork(layers, [3]int{1, 8, 8}, 3, true)
	if err != nil {
		t.Fatal(err)
	}
	var named, functions []string
	var visit func(calls []Call)
	visit = func(calls []Call) {
		for _, c := range calls {
			functions = append(functions, c.Function)
			for argument, name := range c.Tensors {
				named = append(named, name)
				if !strings.HasSuffix(name, "."+argument) {
					t.Errorf("%s is the argument %s of %s", name, argument, c.Function)
				}
			}
			visit(c.Body)
			visit(c.Shortcut)
		}
	}
	calls := net.EncoderCalls()
	visit(calls)
	visit([]Call{net.HeadCall()})
	var want []string
	for _, p := range net.Params() {
		if name, ok := strings.CutPrefix(p.Name, "primary."); ok {
			want = append(want, name)
		}
	}
	want = append(want, "head.weight", "head.bias")
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("the calls name %v, want %v", named, want)
	}
	if text := strings.Join(functions, " "); text != "conv2d batch_norm residual conv2d group_norm conv2d relu max_pool2d avg_pool2d flatten linear relu linear" {
		t.Errorf("functions %s", text)
	}
	if out := calls[2].Output; !slices.Equal(out, []int{8, 4, 4}) {
		t.Errorf("the residual layer returns %v", out)
	}
	if out := calls[len(calls)-1].Output; !slices.Equal(out, []int{net.Features()}) {
		t.Errorf("the encoder returns %v", out)
	}
}

// TestValuesOfTensors checks that Values is the inverse of State for any order of the tensors, and that it refuses the
// tensors of another network.
func TestValuesOfTensors(t *testing.T) {
	make := func(out int, dual bool) *Network {
		net, err := NewNetwork([]Layer{Flatten{}, Linear{Name: "fc", In: 4, Out: out}}, [3]int{1, 2, 2}, 3, dual)
		if err != nil {
			t.Fatal(err)
		}
		return net
	}
	net := make(5, false)
	x := []float32{}
	for i := range net.Len() {
		x = append(x, float32(i))
	}
	tensors := net.State(x)
	slices.Reverse(tensors)
	if got, err := net.Values(tensors); err != nil || !slices.Equal(got, x) {
		t.Errorf("%v, %v", got, err)
	}
	for want, other := range map[string]*Network{
		"has the shape":                        make(6, false),
		"secondary":                            make(5, true),
		"is not one of this network's tensors": net,
	} {
		given := tensors
		if other == net {
			given = append(slices.Clone(tensors), NamedTensor{Name: "more"})
		}
		if _, err := other.Values(given); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "has the shape") {
			t.Errorf("%q: %v", want, err)
		}
	}
}
