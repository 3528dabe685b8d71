package models

import "feddag/torch"

// groupsOfNorm is the number of groups of every group norm (Wu & He 2018).
const groupsOfNorm = 32

// norm returns the norm over channels that the option names. Both norms have the layer name that torchvision uses for its
// norm.
func (o Options) norm(name string, channels int) torch.Layer {
	if o.Norm == "group" {
		return torch.GroupNorm{Name: name, Groups: groupsOfNorm, Channels: channels}
	}
	return torch.BatchNorm2d{Name: name, Channels: channels}
}

// convNorm returns a convolution without bias, padded so that stride 1 keeps the size, and a norm.
func (o Options) convNorm(conv, norm string, in, out, kernel, stride int) []torch.Layer {
	return []torch.Layer{
		torch.Conv2d{Name: conv, In: in, Out: out, Kernel: kernel, Stride: stride, Padding: kernel / 2, NoBias: true},
		o.norm(norm, out),
	}
}

// join concatenates lists of layers.
func join(lists ...[]torch.Layer) []torch.Layer {
	var all []torch.Layer
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// features returns the last layers of a ResNet: they flatten the remaining image and apply the dropout before the head.
func (o Options) features() []torch.Layer {
	if o.Dropout == 0 {
		return []torch.Layer{torch.Flatten{}}
	}
	return []torch.Layer{torch.Flatten{}, torch.Dropout{P: o.Dropout}}
}

// smallImages describes the images that a ResNet with a stem for small images accepts. Its last stage has 4x4 pixels.
const smallImages = "square images of 28 to 35 pixels with one or three channels"

func small(input [3]int) bool { return atLeast(28)(input) && input[1] == input[2] && input[1] <= 35 }
