package models

import "feddag/torch"

func init() { Register("lenet", lenet) }

// lenet is the LeNet-5 variant for 28x28 grey images: 84 features, 61,706 parameters with a head of 10.
func lenet(input [3]int, o Options) ([]torch.Layer, error) {
	if err := wants(input, [3]int{1, 28, 28}); err != nil {
		return nil, err
	}
	return withDropout([]torch.Layer{
		torch.Conv2d{Name: "conv1", In: 1, Out: 6, Kernel: 5, Stride: 1, Padding: 2}, // 6 x 28 x 28
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 6 x 14 x 14
		torch.Conv2d{Name: "conv2", In: 6, Out: 16, Kernel: 5, Stride: 1}, // 16 x 10 x 10
		torch.ReLU{},
		torch.MaxPool2d{Size: 2}, // 16 x 5 x 5
		torch.Flatten{},          // 400
		torch.Linear{Name: "fc1", In: 400, Out: 120},
		torch.ReLU{},
		torch.Linear{Name: "fc2", In: 120, Out: 84},
		torch.ReLU{},
	}, o.Dropout), nil
}
