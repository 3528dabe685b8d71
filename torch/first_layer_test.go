package torch_test

import (
	"testing"

	"feddag/torch"
)

// TestFirstLayer checks the range of the first layer with parameters: it ends before the second layer and before the buffers.
func TestFirstLayer(t *testing.T) {
	conv := torch.Conv2d{Name: "conv", In: 1, Out: 2, Kernel: 3, Padding: 1, Stride: 1}
	noBias := conv
	noBias.NoBias = true
	flat := []torch.Layer{torch.ReLU{}, torch.Flatten{}}
	second := torch.Linear{Name: "fc", In: 32, Out: 3}
	for _, c := range []struct {
		name   string
		layers []torch.Layer
		end    int
	}{
		{"a convolution", append(append([]torch.Layer{conv}, flat...), second), 20},
		{"no bias, and a norm", append(append([]torch.Layer{noBias, torch.BatchNorm2d{Name: "norm", Channels: 2}}, flat...), second), 18},
		{"a norm alone", append([]torch.Layer{torch.BatchNorm2d{Name: "norm", Channels: 1}}, flat...), 2},
		{"no parameters", flat, 0},
	} {
		for _, dual := range []bool{false, true} {
			net, err := torch.NewNetwork(c.layers, [3]int{1, 4, 4}, 3, dual)
			if err != nil {
				t.Fatal(c.name, err)
			}
			if got := net.FirstLayer(); got != (torch.Range{Begin: 0, End: c.end}) {
				t.Errorf("%s, two encoders %t: the first layer is %v, want 0 to %d", c.name, dual, got, c.end)
			}
		}
	}
}
