package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
)

// Batch is the batch from which an [Objective] computes its loss. It and its tensors are valid only during the call of
// Loss.
type Batch struct {
	Job         Job     // the job as it was given; Job.Client is the client
	Epoch, Step int     // the epoch, and the number of batches of the job before this one; both from 0
	Positions   []int32 // [b] positions of the samples in Job.Samples
	Samples     []int32 // [b] indices into the images
	Labels      []int64 // [b] labels after the client's label map
	Images      Tensor  // [b, C, H, W], normalised

	training *eagerTraining
	leaves   []leaf // the current weights
	received []leaf // the weights that the client received; nil until they are asked for
	features []Tensor
	logits   Tensor
	kept     tape
	at       string // the layer that is running; empty while the objective itself runs
}

// Weight is one parameter of the network.
type Weight struct {
	Param
	Current  Tensor // current value; it has a gradient if its part is trained
	Received Tensor // the value that the client received, as a constant
}

// gather fills in the batch with the samples at the given positions.
func (b *Batch) gather(positions []int32) (err error) {
	t := b.training
	b.Job, b.Epoch, b.Step, b.Positions = t.job, t.epoch, t.batches, positions
	if b.leaves, err = leavesOf(t.net, t.weights, t.parts, &b.kept); err != nil {
		return err
	}
	for _, p := range positions {
		b.Samples = append(b.Samples, t.job.Samples[p])
	}
	b.Images, b.Labels, err = t.images.batch(b.Samples, &b.kept)
	if err != nil {
		return err
	}
	applyLabelMap(b.Labels, t.job.LabelMap)
	for i, y := range b.Labels {
		if int(y) >= t.net.classes {
			return fmt.Errorf("sample %d has label %d, but the network has %d classes", b.Samples[i], y, t.net.classes)
		}
	}
	return nil
}

// Network returns the network that is trained.
func (b *Batch) Network() *Network { return b.training.net }

// Tensor copies values into a constant tensor of the given shape on the device of the training. Without a shape it is a
// scalar.
func (b *Batch) Tensor(values []float32, shape ...int) Tensor { return b.kept.floats(values, shape...) }

// Vector returns the values of a vector from begin on as a constant of the given shape. It shares the memory of the vector,
// which must be on the device of the training.
func (b *Batch) Vector(v *Vector, begin int, shape ...int) Tensor {
	if v == nil || v.handle == nil {
		refuse(fmt.Errorf("the vector is closed"))
	}
	if v.device != b.kept.device {
		refuse(fmt.Errorf("the vector is on %v, but the training is on %v", v.device, b.kept.device))
	}
	sizes := dimensions(shape)
	return b.kept.make(func(out *unsafe.Pointer) *C.char {
		defer runtime.KeepAlive(v)
		return C.fd_tensor_part(v.handle, C.int64_t(begin), first(sizes), C.int64_t(len(sizes)), 0, out)
	})
}

// Features returns the features of the batch under the current weights, [b, features] for each encoder.
func (b *Batch) Features() []Tensor {
	b.forward()
	return b.features
}

// Logits returns the outputs of the head for the batch under the current weights, [b, classes].
func (b *Batch) Logits() Tensor {
	b.forward()
	return b.logits
}

func (b *Batch) forward() {
	if b.features == nil {
		b.features, b.logits = b.Forward(b.Images)
	}
}

// CrossEntropy returns the plain loss of the batch: the mean of the cross-entropies of its samples, each times its weight
// if the job has weights.
func (b *Batch) CrossEntropy() Tensor {
	logp := b.Logits().LogSoftmax(1)
	if b.Job.Weights == nil {
		return logp.nll(b.Labels, 1)
	}
	return logp.nll(b.Labels, 0).Mul(b.SampleWeights()).Mean()
}

// SampleWeights returns the weight of each sample's loss, [b]; the weights are 1 if the job has none.
func (b *Batch) SampleWeights() Tensor {
	weights := make([]float32, len(b.Positions))
	for i, p := range b.Positions {
		weights[i] = 1
		if b.Job.Weights != nil {
			weights[i] = b.Job.Weights[p]
		}
	}
	return b.Tensor(weights, len(weights))
}

// Forward returns the features and logits of other images, [n, C, H, W], under the current weights. Encoders that are
// trained run in training mode, and frozen ones in evaluation mode. All calls within a step draw the same dropout masks.
func (b *Batch) Forward(images Tensor) (features []Tensor, logits Tensor) {
	t := b.training
	t.forward += int64(images.Shape()[0])
	return b.pass(b.leaves, images, func(part Part) *draw {
		if t.parts&part == 0 {
			return nil
		}
		return &draw{t.job.Seed, t.step}
	})
}

// ForwardWith is Forward with other parameters in place of the current ones, in the order of [Batch.Weights], for example
// the parameters after a step of an inner loop. Derivatives go through them.
func (b *Batch) ForwardWith(weights []Tensor, images Tensor) (features []Tensor, logits Tensor) {
	leaves, next := slices.Clone(b.leaves), 0
	for i, l := range leaves {
		if l.param.Buffer {
			continue
		}
		if next < len(weights) {
			if got := weights[next].Shape(); !slices.Equal(got, l.param.Shape) {
				refuse(fmt.Errorf("weights of shape %v for %s, which has the shape %v", got, l.param.Name, l.param.Shape))
			}
			leaves[i].tensor = weights[next].gotorch()
		}
		next++
	}
	if next != len(weights) {
		refuse(fmt.Errorf("%d weights for a network with %d", len(weights), next))
	}
	defer func(own []leaf) { b.leaves = own }(b.leaves)
	b.leaves = leaves
	return b.Forward(images)
}

// ForwardReceived returns the features and logits of images under the weights that the client received, in evaluation mode.
// They are constants.
func (b *Batch) ForwardReceived(images Tensor) (features []Tensor, logits Tensor) {
	return b.pass(b.start(), images, func(Part) *draw { return nil })
}

// start returns the leaves of the received weights; they have no gradients.
func (b *Batch) start() []leaf {
	if b.received == nil {
		var err error
		b.received, err = leavesOf(b.training.net, b.training.job.Start, 0, &b.kept)
		refuse(err)
	}
	return b.received
}

// pass runs a forward pass. Errors in it name the layer.
func (b *Batch) pass(leaves []leaf, images Tensor, masks func(Part) *draw) ([]Tensor, Tensor) {
	net := b.training.net
	shape := images.Shape()
	if len(shape) != 4 || [3]int(shape[1:]) != net.input {
		refuse(fmt.Errorf("images of shape %v for a network with the input shape %v", shape, net.input))
	}
	features, err := net.encoders(leaves, images.gotorch(), masks, &b.kept, &b.at)
	refuse(err)
	b.at = "head"
	logits := net.head(leaves, features, &b.kept)
	b.at = ""
	return features, logits
}

// Weights returns the parameters of the network, without the buffers, in the order of [Network.Params].
func (b *Batch) Weights() []Weight {
	start := b.start()
	var weights []Weight
	for i, l := range b.leaves {
		if !l.param.Buffer {
			weights = append(weights, Weight{l.param, Tensor{l.tensor, &b.kept}, Tensor{start[i].tensor, &b.kept}})
		}
	}
	return weights
}

// Weight returns the parameter with the given name, such as "head.weight".
func (b *Batch) Weight(name string) Weight {
	all := b.Weights()
	i := slices.IndexFunc(all, func(w Weight) bool { return w.Name == name })
	if i < 0 {
		refuse(fmt.Errorf("the network has no parameter %q", name))
	}
	return all[i]
}

// Once returns, as a constant, the result of compute from the first call of Once with this name in the job. Use it, for
// example, for features under the received weights.
func (b *Batch) Once(name string, compute func() Tensor) Tensor {
	t := b.training
	if _, ok := t.memo[name]; !ok {
		x := compute()
		copied := t.kept.make(func(out *unsafe.Pointer) *C.char {
			defer runtime.KeepAlive(b)
			return C.fd_tensor_each(C.FD_EACH_DETACH, x.raw(), 0, out)
		})
		if t.memo == nil {
			t.memo = map[string]Tensor{}
		}
		t.memo[name] = copied
	}
	return Tensor{t.memo[name].t, &b.kept} // tensors computed from it are freed after the step
}

// Extra returns the objective's own values, [n], which are Job.Extra at first. Derivatives with respect to them are possible,
// but SGD does not change them; only [Batch.SetExtra] does.
func (b *Batch) Extra() Tensor {
	v := b.training.extra
	if v == nil {
		refuse(fmt.Errorf("the job has no Extra values"))
	}
	return b.Vector(v, 0, v.n).Variable()
}

// SetExtra sets the values that [Batch.Extra] returns from now on.
func (b *Batch) SetExtra(x Tensor) {
	v := b.training.extra
	if v == nil {
		refuse(fmt.Errorf("the job has no Extra values"))
	}
	refuse(v.Set(x.Floats()))
}

// draw selects the dropout masks of a forward pass in training mode.
type draw struct {
	seed uint64
	step int64
}

// tensor returns a tensor of gotorch as one that the tape owns.
func (t *tape) tensor(x gotorch.Tensor) Tensor { return Tensor{t.keep(x), t} }
