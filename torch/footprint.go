package torch

// largestColumns is the size in bytes beyond which the stacked engine does not lay out the windows of a convolution as
// columns, as in shim/stacked_conv.cc. sweepBatch is the number of samples per client that it evaluates at once, as in
// shim/sweep.h.
const (
	largestColumns = 1 << 31
	sweepBatch     = 128
)

// StackedWork describes a stacked training.
type StackedWork struct {
	Clients   int // number of clients at once
	Samples   int // number of samples of the largest client
	Epochs    int
	Batch     int
	Parts     Part
	Proximal  bool // whether some client has a proximal term
	Precision Precision
}

// StackedBytes returns an upper estimate of the memory that a training in the stacked engine uses on a device, besides the
// vectors and images of its caller: the stack of weights, gradients and momentum, the batches, frozen features, and the
// activations of a step. A GPU holds the activations twice, once for the steps before recording and once in the graphs.
func (n *Network) StackedBytes(device Device, w StackedWork) int64 {
	k, size := int64(w.Clients), int64(4)
	stride := int64(n.Len()+31) / 32 * 32
	state := 3 * 4 * stride // weights, gradients, momentum
	if w.Proximal {
		state += 4 * stride
	}
	if w.Precision == BF16 {
		size = 2
		state += size * stride
	}
	steps := int64(w.Samples+w.Batch-1) / int64(w.Batch) * int64(w.Epochs)
	state += 4 * steps * int64(w.Batch+1)
	rows := int64(w.Samples) * 12
	var kept, peak int64
	encoders := []Part{Primary, Secondary}
	if !n.dual {
		encoders = encoders[:1]
	}
	for _, part := range encoders {
		if w.Parts&part != 0 {
			a := n.activations(k, int64(w.Batch), size, true)
			kept, peak = kept+a.kept, max(peak, a.peak)
			continue
		}
		rows += int64(w.Samples*n.features) * size
		peak = max(peak, n.activations(k, int64(min(sweepBatch, w.Samples)), size, false).peak)
	}
	work := kept + peak + k*int64(w.Batch)*int64(n.input[0]*n.input[1]*n.input[2]+4*n.width()+4*n.classes)*size
	if device.cuda {
		work *= 2
	}
	return k*(state+rows) + work
}

// StackedPredictionBytes returns an estimate of the memory that the stacked engine uses for predictions of the given number
// of models at once, on the given number of samples each.
func (n *Network) StackedPredictionBytes(models, samples int, precision Precision) int64 {
	k, size := int64(models), int64(4)
	state := 4 * int64(n.Len()+31)
	if precision == BF16 {
		size = 2
		state += 2 * int64(n.Len()+31)
	}
	state += int64(samples) * int64(16+4*n.classes+4*n.width())
	return k*state + n.activations(k, int64(min(sweepBatch, samples)), size, false).peak
}

// activation is the memory of a pass through layers, in bytes: the memory that is held until its end, and the additional
// memory at its peak.
type activation struct{ kept, peak int64 }

// activations estimates a pass of k clients with one batch each and size bytes per value.
func (n *Network) activations(k, batch, size int64, training bool) activation {
	a, _ := layersActivation(n.layers, n.input, k*batch*size, training)
	return a
}

// layersActivation returns the sum over layers with the input shape in. unit is the number of bytes of one value for every
// sample.
func layersActivation(layers []Layer, in [3]int, unit int64, training bool) (activation, [3]int) {
	var sum activation
	volume := func(s [3]int) int64 { return int64(s[0]*s[1]*s[2]) * unit }
	for _, layer := range layers {
		out, _ := layer.output(in)
		var kept, back int64 // memory of this layer from its forward to its backward pass, and during the backward pass
		switch l := layer.(type) {
		case Conv2d:
			columns := int64(l.In*l.Kernel*l.Kernel*out[1]*out[2]) * unit
			if columns > largestColumns {
				columns = volume(in)
			}
			kept = columns + volume(out)
			back = columns + 2*volume(out) + volume(in)
		case Residual:
			body, _ := layersActivation(l.Body, in, unit, training)
			short, _ := layersActivation(l.Shortcut, in, unit, training)
			kept, back = body.kept+short.kept+volume(out), body.peak+short.peak+2*volume(in)
		default:
			kept, back = volume(out)+volume(in)/2, volume(in)+volume(out)
		}
		if training {
			sum.kept += kept
			sum.peak = max(sum.peak, back)
		} else {
			sum.peak = max(sum.peak, volume(in)+kept)
		}
		in = out
	}
	return sum, in
}
