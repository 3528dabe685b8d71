package algorithm_test

import (
	"testing"

	"feddag/federation/federationtest"
	"feddag/models"
	"feddag/torch"
)

// This file is an example: a new model as a contributor would write it, except that its package would be models.

func init() {
	models.Register("example-cnn5", models.Model{
		Images: "square images of 4 pixels or more, of any number of channels",
		Takes:  func(input [3]int) bool { return input[1] == input[2] && input[1] >= 4 },
		Layers: fiveLayers,
	})
}

// fiveLayers has three convolutions and two linear layers: 24 features.
func fiveLayers(input [3]int, o models.Options) []torch.Layer {
	side := input[1] / 4
	layers := []torch.Layer{ // shapes of 4x4
		torch.Conv2d{Name: "conv1", In: input[0], Out: 8, Kernel: 3, Stride: 1, Padding: 1}, // 8 x 4 x 4
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 8 x 2 x 2
		torch.Conv2d{Name: "conv2", In: 8, Out: 16, Kernel: 3, Stride: 1, Padding: 1}, // 16 x 2 x 2
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 16 x 1 x 1
		torch.Conv2d{Name: "conv3", In: 16, Out: 16, Kernel: 3, Stride: 1, Padding: 1}, // 16 x 1 x 1
		torch.ReLU{},
		torch.Flatten{}, // 16
		torch.Linear{Name: "fc1", In: 16 * side * side, Out: 32},
		torch.ReLU{},
		torch.Linear{Name: "fc2", In: 32, Out: 24},
		torch.ReLU{},
	}
	if o.Dropout > 0 {
		layers = append(layers, torch.Dropout{P: o.Dropout})
	}
	return layers
}

// The model passes the conformance suite, with methods of one encoder and of two encoders, and with a method that has its own
// loss.
func TestConformanceOfAModel(t *testing.T) {
	federationtest.UseModel(t, "example-cnn5")
	for _, name := range []string{"fedavg", "feddag", "example-supcon"} {
		t.Run(name, func(t *testing.T) { conform(t, name) })
	}
}
