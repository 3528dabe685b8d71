package models

import "feddag/torch"

func init() {
	Register("cnn", Model{
		Images:   "images of 16x16 pixels or more with one or three channels",
		Takes:    atLeast(16),
		Flags:    []string{FlagDropout},
		Layers:   cnn,
		Default:  [][3]int{{3, 32, 32}},
		Fallback: true,
	})
}

// cnn is the paper's convolutional network for 32x32 colour images: 256 features, 537,610 parameters with a head of 10.
// Images with a side below 32 pixels are padded so that the three convolutions keep their size; larger images are not padded.
// The input of the first linear layer is the remaining image: 1024 values for 32x32, 2304 for 28x28, 1024 for 16x16.
func cnn(input [3]int, o Options) []torch.Layer {
	pad := padding(input, 3)
	side := func(n int) int {
		for range 3 {
			n = (n + 2*pad - 2) / 2
		}
		return n
	}
	flat := 256 * side(input[1]) * side(input[2])
	return withDropout([]torch.Layer{ // shapes of 32x32
		torch.Conv2d{Name: "conv1", In: input[0], Out: 64, Kernel: 3, Stride: 1, Padding: pad}, // 64 x 30 x 30
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 64 x 15 x 15
		torch.Conv2d{Name: "conv2", In: 64, Out: 128, Kernel: 3, Stride: 1, Padding: pad}, // 128 x 13 x 13
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 128 x 6 x 6
		torch.Conv2d{Name: "conv3", In: 128, Out: 256, Kernel: 3, Stride: 1, Padding: pad}, // 256 x 4 x 4
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 256 x 2 x 2
		torch.Flatten{},          // 1024
		torch.Linear{Name: "fc1", In: flat, Out: 128},
		torch.ReLU{},
		torch.Linear{Name: "fc2", In: 128, Out: 256},
		torch.ReLU{},
	}, o.Dropout)
}
