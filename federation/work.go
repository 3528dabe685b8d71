package federation

import "feddag/torch"

// work returns the number of samples that went forward and backward in all epochs of a job.
func work(net *torch.Network, sgd torch.SGD, job torch.Job, trained torch.Trained) int64 {
	if trained.Forward > 0 { // only the training knows the number of passes of this objective
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
