package models

import "feddag/torch"

func init() {
	Register("three", Model{
		Images: "images of 28x28 pixels",
		Takes:  func(input [3]int) bool { return input[1] == 28 && input[2] == 28 },
		Flags:  []string{FlagDropout},
		Layers: three,
	})
}

// three has three convolutions and one linear layer: 64 features.
func three(input [3]int, o Options) []torch.Layer {
	return withDropout([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: input[0], Out: 16, Kernel: 3, Stride: 1, Padding: 1}, // 16 x 28 x 28
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 16 x 14 x 14
		torch.Conv2d{Name: "conv2", In: 16, Out: 32, Kernel: 3, Stride: 1, Padding: 1}, // 32 x 14 x 14
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 32 x 7 x 7
		torch.Conv2d{Name: "conv3", In: 32, Out: 64, Kernel: 3, Stride: 1, Padding: 1}, // 64 x 7 x 7
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 64 x 3 x 3
		torch.Flatten{},          // 576
		torch.Linear{Name: "fc1", In: 576, Out: 64},
		torch.ReLU{},
	}, o.Dropout)
}
