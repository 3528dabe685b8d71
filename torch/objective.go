package torch

import "fmt"

// Meta makes the steps of Per-FedAvg (Fallah, Mokhtari, Ozdaglar, NeurIPS 2020). Each step takes the next two batches, D
// and D', of the epoch, and with the second order a third, D”. Batches at the end of an epoch that do not fill a step are
// left out; a client with too few batches for one step uses them repeatedly.
//
//	w~ = w - α ∇f(w; D),  g = ∇f(w~; D'),  w <- w - LearningRate (g - α h)
//	h = [∇f(w + δ g; D'') - ∇f(w - δ g; D'')] / (2δ)
//
// Weight decay and the proximal term are not part of f. Each of the two steps adds them at the weights from which it
// starts.
type Meta struct {
	Alpha float64 // α
	Delta float64 // δ; 0 for the first order, where h = 0
}

// Objective is a loss of local training that replaces the cross-entropy: a Go function of a batch. A type of any package
// can be one; [ObjectiveFunc] makes one from a function.
//
// The eager executor calls Loss for every batch, differentiates the result by autograd, on the CPU and on CUDA, and makes
// the run's step of SGD. The loss must not contain momentum, weight decay, the proximal term or the freezing of parts, and
// it cannot be combined with whole epochs ([SGD.Whole]) or the steps of Per-FedAvg ([SGD.Meta]). It is a scalar that
// depends on the trained parameters. An error or a panic in Loss becomes an error that names the client, the batch and the
// line. The engines pass trainings with an objective of another package to the eager executor, several clients at once on
// the CPU. Loss is then called from several goroutines, one per client, and must not change what they share. Given the same
// batch it must return the same loss; random numbers must come from a stream of Job.Seed, Epoch and Step.
//
// The engines have faster implementations of the objectives [*Mix], [*Contrast] and [*Diverse], whose Loss methods are the
// reference.
type Objective interface {
	Loss(b *Batch) (Tensor, error)
}

// ObjectiveFunc is an [Objective] that consists of one function.
type ObjectiveFunc func(b *Batch) (Tensor, error)

// Loss implements [Objective].
func (f ObjectiveFunc) Loss(b *Batch) (Tensor, error) { return f(b) }

// builtin is an objective that the engines implement. [*Mix] and [*Contrast] need a network with one encoder, all of it
// trained.
type builtin interface {
	Objective
	// check returns an error unless the objective fits a network and a job.
	check(net *Network, job Job, sgd SGD) error
}

// Builtin reports whether the engines train an objective themselves; nil is the cross-entropy. Other objectives are trained
// by the eager executor, which takes several times as long.
func Builtin(o Objective) bool {
	_, ok := o.(builtin)
	return ok || o == nil
}

// Mix is the loss of FedMix (Yoon, Shin, Hwang, Yang, ICLR 2021). A step draws one item (x̄, ȳ) of the shared means, and with
// x~ = (1-λ) x minimises
//
//	(1-λ) mean CE(x~, y)  +  λ mean CE(x~, ȳ)  +  λ <∂[(1-λ) mean CE(x~, y)]/∂x~, x̄>
//
// The engine computes the last term as a central difference of width Epsilon, which needs no second derivatives. The eager
// executor differentiates twice.
type Mix struct {
	Lambda  float64 // λ
	Epsilon float64 // e: x~ ± e x̄
	Images  *Vector // [items, C, H, W], normalised
	Labels  *Vector // [items, classes], rows that sum to 1
}

// Contrast is the loss of FedBR (Guo, Tang, Lin, ICML 2023). z are the features of the batch, z_p the features of shared
// pseudo-images, and z_g the features of the pseudo-images under the received weights:
//
//	L_con = mean softplus(τ2 cos(P z_p, P z) - τ1 cos(P z_p, P z_g))
//	P climbs L_con at rate Rate, then the network descends  CE + µ L_con + λ mean CE(z_p, uniform)
//
// Row r of the batch is paired with pseudo-image r mod their number. P is an MLP features -> 2 features -> 2 features ->
// features with ReLU between its layers. Its weights and biases are stored one after another (see [Contrast.Size]).
type Contrast struct {
	Mu, Lambda, Tau1, Tau2 float64 // µ, λ, τ1, τ2
	Rate                   float64 // learning rate of the plain ascent of P
	Images                 *Vector // [items, C, H, W], normalised: the pseudo-images
}

// Size returns the number of values of P for features of width h.
func (*Contrast) Size(h int) int { return 8*h*h + 5*h }

// Diverse adds λ mean cos(φ1, φ2)² to the loss, where φ1 and φ2 are the features of the two encoders. It is FedDAG's
// diversity regulariser (appendix A.11).
type Diverse struct{ Lambda float64 }

// items returns the number of whole images of the network's input shape that a vector holds.
func items(net *Network, images *Vector) (int, error) {
	pixels := net.input[0] * net.input[1] * net.input[2]
	if images == nil || images.handle == nil || images.n == 0 || images.n%pixels != 0 {
		return 0, fmt.Errorf("the objective's images are not whole images of the network's input shape %v", net.input)
	}
	return images.n / pixels, nil
}

func (m *Mix) check(net *Network, job Job, sgd SGD) error {
	n, err := items(net, m.Images)
	if err != nil {
		return err
	}
	if m.Labels == nil || m.Labels.handle == nil || m.Labels.n != n*net.classes {
		return fmt.Errorf("labels for %d mean images of %d classes are missing", n, net.classes)
	}
	if !(m.Epsilon > 0) {
		return fmt.Errorf("the central difference has the width %g: use a number above 0", m.Epsilon)
	}
	if want := len(job.Order) * ((len(job.Samples) + sgd.Batch - 1) / sgd.Batch); len(job.Mix) != want {
		return fmt.Errorf("there are %d items to mix for %d steps", len(job.Mix), want)
	}
	for _, i := range job.Mix {
		if i < 0 || int(i) >= n {
			return fmt.Errorf("item %d is to be mixed, but there are %d items", i, n)
		}
	}
	return nil
}

func (c *Contrast) check(net *Network, job Job, _ SGD) error {
	if _, err := items(net, c.Images); err != nil {
		return err
	}
	if want := c.Size(net.features); job.Extra == nil || job.Extra.handle == nil || job.Extra.n != want {
		return fmt.Errorf("the projection does not have %d values", want)
	}
	return nil
}

func (*Diverse) check(net *Network, _ Job, _ SGD) error {
	if !net.dual {
		return fmt.Errorf("the diversity of encoders needs a network with two encoders")
	}
	return nil
}

// checkObjective returns an error unless the job's objective can be trained.
func (job Job) checkObjective(net *Network, parts Part, sgd SGD) error {
	if sgd.Objective == nil {
		return nil
	}
	objective, own := sgd.Objective.(builtin)
	_, diverse := sgd.Objective.(*Diverse)
	switch {
	case sgd.Batch < 1:
		return fmt.Errorf("the batch has %d samples", sgd.Batch)
	case !own:
		return nil
	case job.Weights != nil || sgd.Whole || sgd.Meta != nil:
		return fmt.Errorf("an objective other than the cross-entropy needs plain steps of SGD and equal sample weights")
	case !diverse && (net.dual || parts&(Primary|Head) != Primary|Head):
		return fmt.Errorf("this objective needs a network with one encoder, all of it trained")
	}
	return objective.check(net, job, sgd)
}
