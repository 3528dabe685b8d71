package federation

import "feddag/torch"

// work returns how many samples went forward and backward in a job, all epochs together.
func work(net *torch.Network, sgd torch.SGD, job torch.Job, trained torch.Trained) int64 {
	if trained.Forward > 0 { // an objective whose passes only the training knows
		return trained.Forward
	}
	n, epochs := int64(len(job.Samples)), int64(len(job.Order))
	switch o := sgd.Objective.(type) {
	case *torch.Mix: // the batch, and the two sides of the central difference
		return epochs * 3 * n
	case *torch.Contrast: // the pseudo-images with every batch
		in := net.Input()
		batches := (n + int64(sgd.Batch) - 1) / int64(sgd.Batch)
		return epochs * (n + batches*int64(o.Images.Len()/(in[0]*in[1]*in[2])))
	}
	if sgd.Meta != nil && sgd.Meta.Delta > 0 { // four gradients for three batches
		return epochs * (n * 4 / 3)
	}
	return epochs * n
}
