package models

import "feddag/torch"

func init() { Register("cnn", cnn) }

// cnn is the paper's convolutional network for 32x32 colour images: 256 features, 537,610 parameters with a head of 10.
func cnn(input [3]int, o Options) ([]torch.Layer, error) {
	if err := wants(input, [3]int{3, 32, 32}); err != nil {
		return nil, err
	}
	return withDropout([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 3, Out: 64, Kernel: 3, Stride: 1}, // 64 x 30 x 30
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 64 x 15 x 15
		torch.Conv2d{Name: "conv2", In: 64, Out: 128, Kernel: 3, Stride: 1}, // 128 x 13 x 13
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 128 x 6 x 6
		torch.Conv2d{Name: "conv3", In: 128, Out: 256, Kernel: 3, Stride: 1}, // 256 x 4 x 4
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 256 x 2 x 2
		torch.Flatten{},          // 1024
		torch.Linear{Name: "fc1", In: 1024, Out: 128},
		torch.ReLU{},
		torch.Linear{Name: "fc2", In: 128, Out: 256},
		torch.ReLU{},
	}, o.Dropout), nil
}
