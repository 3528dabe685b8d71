package models

import "feddag/torch"

func init() {
	Register("lenet", Model{
		Images:  "images of 12x12 pixels or more with one or three channels",
		Takes:   atLeast(12),
		Flags:   []string{FlagDropout},
		Layers:  lenet,
		Default: [][3]int{{1, 28, 28}},
	})
}

// lenet is LeNet-5 with ReLU and maximum pooling: 84 features. The first convolution pads images with a side below 32
// pixels by two pixels, as LeCun et al. (1998) pad 28x28 to 32x32, and does not pad larger images. With a head of 10 it has
// 61,706 parameters on 1x28x28 and 62,006 on 3x32x32. The latter is the LeNet-5 without padding that PACFL and others use
// on CIFAR-10. The input of the first linear layer is the remaining image: 400 values for both of these shapes.
func lenet(input [3]int, o Options) []torch.Layer {
	pad := padding(input, 5)
	side := func(n int) int { return ((n+2*pad-4)/2 - 4) / 2 }
	flat := 16 * side(input[1]) * side(input[2])
	return withDropout([]torch.Layer{ // shapes of 28x28 and 32x32
		torch.Conv2d{Name: "conv1", In: input[0], Out: 6, Kernel: 5, Stride: 1, Padding: pad}, // 6 x 28 x 28
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 6 x 14 x 14
		torch.Conv2d{Name: "conv2", In: 6, Out: 16, Kernel: 5, Stride: 1}, // 16 x 10 x 10
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 16 x 5 x 5
		torch.Flatten{},          // 400
		torch.Linear{Name: "fc1", In: flat, Out: 120},
		torch.ReLU{},
		torch.Linear{Name: "fc2", In: 120, Out: 84},
		torch.ReLU{},
	}, o.Dropout)
}
