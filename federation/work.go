package federation

import "feddag/torch"

// work returns how many samples go forward and backward in an epoch of n.
func work(net *torch.Network, sgd torch.SGD, n int) int64 {
	switch o := sgd.Objective.(type) {
	case *torch.Mix: // the batch, and the two sides of the central difference
		return 3 * int64(n)
	case *torch.Contrast: // the pseudo-images with every batch
		in := net.Input()
		batches := (n + sgd.Batch - 1) / sgd.Batch
		return int64(n) + int64(batches)*int64(o.Images.Len()/(in[0]*in[1]*in[2]))
	}
	if sgd.Meta != nil && sgd.Meta.Delta > 0 { // four gradients for three batches
		return int64(n) * 4 / 3
	}
	return int64(n)
}
