package models

import "feddag/torch"

func init() {
	Register("resnet9", Model{Images: smallImages, Takes: small, Flags: []string{FlagDropout, FlagNorm}, Layers: resnet9})
}

// resnet9 is the ResNet-9 of the DAWNBench entries on CIFAR-10: 512 features, 6,573,130 parameters with a head of 10 on
// colour images.
func resnet9(input [3]int, o Options) []torch.Layer {
	relu, pool := []torch.Layer{torch.ReLU{}}, []torch.Layer{torch.MaxPool2d{Size: 2}}
	residual := func(name string, channels int) []torch.Layer {
		return []torch.Layer{torch.Residual{Body: join(
			o.convNorm(name+".conv1", name+".bn1", channels, channels, 3, 1), relu,
			o.convNorm(name+".conv2", name+".bn2", channels, channels, 3, 1), relu,
		)}}
	}
	return join(
		o.convNorm("conv1", "bn1", input[0], 64, 3, 1), relu, // 64 x 32 x 32
		o.convNorm("conv2", "bn2", 64, 128, 3, 1), relu, pool, // 128 x 16 x 16
		residual("res1", 128),
		o.convNorm("conv3", "bn3", 128, 256, 3, 1), relu, pool, // 256 x 8 x 8
		o.convNorm("conv4", "bn4", 256, 512, 3, 1), relu, pool, // 512 x 4 x 4
		residual("res2", 512),
		[]torch.Layer{torch.MaxPool2d{Size: input[1] / 8}}, // 512 x 1 x 1
		o.features(),
	)
}
