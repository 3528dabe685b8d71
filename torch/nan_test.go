package torch_test

import (
	"math"
	"testing"

	"feddag/torch"
)

// TestPoolingKeepsNaN checks that a window with a NaN has NaN as its maximum, wherever in the window the NaN is, as in
// PyTorch. A diverging model must not look finite.
func TestPoolingKeepsNaN(t *testing.T) {
	conv := func(kernel int) torch.Layer {
		return torch.Conv2d{Name: "conv", In: 1, Out: 1, Kernel: kernel, Stride: 1, Padding: kernel / 2} // 1 x 4 x 4
	}
	// Each window has a NaN in a different place.
	inf, pixels := float32(math.Inf(1)), []byte{0, 9, 9, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0, 9, 9, 0}
	images, err := torch.NewImages(torch.CPU, pixels, [3]int{1, 4, 4}, []uint8{0}, []float32{0}, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(images.Close)
	for name, layers := range map[string][]torch.Layer{
		"with a ReLU":            {conv(3), torch.ReLU{}, torch.MaxPool2d{Size: 2}, torch.Flatten{}},
		"with a ReLU, 5x5":       {conv(5), torch.ReLU{}, torch.MaxPool2d{Size: 2}, torch.Flatten{}},
		"pooling without a ReLU": {conv(3), torch.MaxPool2d{Size: 2}, torch.Flatten{}},
		"with a norm and a ReLU": {conv(3), torch.BatchNorm2d{Name: "norm", Channels: 1}, torch.ReLU{}, torch.MaxPool2d{Size: 2}, torch.Flatten{}},
	} {
		net, err := torch.NewNetwork(layers, [3]int{1, 4, 4}, 2, false)
		if err != nil {
			t.Fatal(err)
		}
		state := make([]float32, net.Len())
		kernel := map[bool]int{true: 25, false: 9}[name == "with a ReLU, 5x5"]
		state[kernel/2] = inf // value in the middle of the window: 0 times infinity is a NaN
		for _, method := range []torch.ConvMethod{torch.Columns, torch.Fused} {
			e := newBatched(t, torch.BatchedOptions{Method: method})
			got, err := e.Predict(net, images, []torch.Prediction{{State: vectorOf(t, state...), Samples: []int32{0}, Features: true}})
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range got[0].Features {
				if !math.IsNaN(float64(x)) {
					t.Errorf("%s, method %d: feature %d is %g, want a NaN", name, method, i, x)
				}
			}
		}
	}
}
