package models

import "feddag/torch"

// groupsOfNorm is the number of groups of every group norm (Wu & He 2018).
const groupsOfNorm = 32

// norm is the option's norm over channels, named as torchvision names it whatever it is.
func (o Options) norm(name string, channels int) torch.Layer {
	if o.Norm == "group" {
		return torch.GroupNorm{Name: name, Groups: groupsOfNorm, Channels: channels}
	}
	return torch.BatchNorm2d{Name: name, Channels: channels}
}

// convNorm is a convolution without bias, padded so that stride 1 keeps the size, and a norm.
func (o Options) convNorm(conv, norm string, in, out, kernel, stride int) []torch.Layer {
	return []torch.Layer{
		torch.Conv2d{Name: conv, In: in, Out: out, Kernel: kernel, Stride: stride, Padding: kernel / 2, NoBias: true},
		o.norm(norm, out),
	}
}

// join lays lists of layers end to end.
func join(lists ...[]torch.Layer) []torch.Layer {
	var all []torch.Layer
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// features ends a ResNet: what is left of the image, flat, with the dropout before the head.
func (o Options) features() []torch.Layer {
	if o.Dropout == 0 {
		return []torch.Layer{torch.Flatten{}}
	}
	return []torch.Layer{torch.Flatten{}, torch.Dropout{P: o.Dropout}}
}

// smallImages are what a ResNet with a stem for small images takes: its last stage sees 4x4 pixels.
const smallImages = "square images of 28 to 35 pixels with one or three channels"

func small(input [3]int) bool { return atLeast(28)(input) && input[1] == input[2] && input[1] <= 35 }
