package models

import (
	"fmt"

	"feddag/torch"
)

func init() {
	Register("resnet18", Model{Images: smallImages, Takes: small, Flags: []string{FlagDropout, FlagNorm}, Layers: resnet18})
}

// resnet18 is ResNet-18 with a 3x3 stem and no first pooling, as is usual on CIFAR: 512 features, 11,173,962 parameters
// with a head of 10 on colour images. Its tensors have torchvision's names.
func resnet18(input [3]int, o Options) []torch.Layer {
	relu := []torch.Layer{torch.ReLU{}}
	layers := join(o.convNorm("conv1", "bn1", input[0], 64, 3, 1), relu) // 64 x 32 x 32
	in := 64
	for stage, out := range []int{64, 128, 256, 512} { // 512 x 4 x 4 after the last
		for block := range 2 {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			layers = join(layers, o.basicBlock(fmt.Sprintf("layer%d.%d.", stage+1, block), in, out, stride), relu)
			in = out
		}
	}
	return join(layers, []torch.Layer{torch.AvgPool2d{Size: (input[1] + 7) / 8}}, o.features())
}

// basicBlock returns two convolutions with a shortcut, which is a 1x1 convolution if the shape changes.
func (o Options) basicBlock(name string, in, out, stride int) []torch.Layer {
	var shortcut []torch.Layer
	if stride != 1 || in != out {
		shortcut = o.convNorm(name+"downsample.0", name+"downsample.1", in, out, 1, stride)
	}
	return []torch.Layer{torch.Residual{
		Body: join(
			o.convNorm(name+"conv1", name+"bn1", in, out, 3, stride), []torch.Layer{torch.ReLU{}},
			o.convNorm(name+"conv2", name+"bn2", out, out, 3, 1),
		),
		Shortcut: shortcut,
	}}
}
