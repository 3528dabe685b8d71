package torch

import "fmt"

// Meta makes the steps of Per-FedAvg (Fallah, Mokhtari, Ozdaglar, NeurIPS 2020) of an epoch's batches D, D' (and D”), one
// after another. Batches that do not fill a step are left out; a client with too few takes them again.
//
//	w~ = w - α ∇f(w; D),  g = ∇f(w~; D'),  w <- w - LearningRate (g - α h)
//	h = [∇f(w + δ g; D'') - ∇f(w - δ g; D'')] / (2δ)
//
// Weight decay and the proximal term are of the weights that each of the two steps starts from, not part of f.
type Meta struct {
	Alpha float64 // α
	Delta float64 // δ; 0 is the first order, h = 0
}

// Objective is the loss of local training in place of the cross-entropy: a Go function of a batch. A type of any package
// can be one; [ObjectiveFunc] makes one of a function.
//
// The eager executor calls Loss for every batch, differentiates what it returns by autograd, on the CPU and on CUDA, and
// makes the run's step of SGD: momentum, weight decay, the proximal term and the freezing of parts are not part of the
// loss, and neither are whole epochs ([SGD.Whole]) and the steps of Per-FedAvg ([SGD.Meta]). The loss is a scalar that
// depends on the trained parameters. An error or a panic in Loss becomes an error that names the client, the batch and
// the line. The engines hand trainings with an objective of another package to the eager executor, several clients at
// once on the CPU: Loss is then called from several goroutines, one per client, and must not change what they share.
// Given the same batch it must return the same loss; random numbers come from a stream of Job.Seed, Epoch and Step.
//
// [*Mix], [*Contrast] and [*Diverse] are objectives that the engines have faster versions of; theirs is the oracle.
type Objective interface {
	Loss(b *Batch) (Tensor, error)
}

// ObjectiveFunc is an [Objective] of one function.
type ObjectiveFunc func(b *Batch) (Tensor, error)

// Loss implements [Objective].
func (f ObjectiveFunc) Loss(b *Batch) (Tensor, error) { return f(b) }

// builtin is an objective that the engines have. [*Mix] and [*Contrast] need a network of one encoder, all of it trained.
type builtin interface {
	Objective
	// check returns an error unless the objective fits a network and a job.
	check(net *Network, job Job, sgd SGD) error
}

// Builtin says whether the engines train an objective themselves; nil is the cross-entropy. Others are trained by the
// eager executor, which takes several times as long.
func Builtin(o Objective) bool {
	_, ok := o.(builtin)
	return ok || o == nil
}

// Mix is the loss of FedMix (Yoon, Shin, Hwang, Yang, ICLR 2021). A step draws one item (x̄, ȳ) of the shared means, and
// with x~ = (1-λ) x descends
//
//	(1-λ) mean CE(x~, y)  +  λ mean CE(x~, ȳ)  +  λ <∂[(1-λ) mean CE(x~, y)]/∂x~, x̄>
//
// The engine takes the last term as a central difference of width Epsilon, which needs no second derivatives; the eager
// executor differentiates twice.
type Mix struct {
	Lambda  float64 // λ
	Epsilon float64 // e: x~ ± e x̄
	Images  *Vector // [items, C, H, W], normalised
	Labels  *Vector // [items, classes], rows that sum to 1
}

// Contrast is the loss of FedBR (Guo, Tang, Lin, ICML 2023) on features z of the batch and z_p of shared pseudo-images,
// with z_g those of the pseudo-images under the received weights:
//
//	L_con = mean softplus(τ2 cos(P z_p, P z) - τ1 cos(P z_p, P z_g))
//	P climbs L_con at rate Rate, then the network descends  CE + µ L_con + λ mean CE(z_p, uniform)
//
// Row r of the batch is paired with pseudo-image r mod their number. P is an MLP features -> 2 features -> 2 features ->
// features with ReLU between, its weights and biases one after another: see [Contrast.Size].
type Contrast struct {
	Mu, Lambda, Tau1, Tau2 float64 // µ, λ, τ1, τ2
	Rate                   float64 // of P's plain ascent
	Images                 *Vector // [items, C, H, W], normalised: the pseudo-images
}

// Size is the number of values of P for features of width h.
func (*Contrast) Size(h int) int { return 8*h*h + 5*h }

// Diverse adds λ mean cos(φ1, φ2)², φ the features of a network's two encoders: FedDAG's diversity regulariser
// (appendix A.11).
type Diverse struct{ Lambda float64 }

// items says how many whole images of a network's input a vector holds.
func items(net *Network, images *Vector) (int, error) {
	pixels := net.input[0] * net.input[1] * net.input[2]
	if images == nil || images.handle == nil || images.n == 0 || images.n%pixels != 0 {
		return 0, fmt.Errorf("the objective's images are not whole images of the network's input %v", net.input)
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
		return fmt.Errorf("a central difference of width %g", m.Epsilon)
	}
	if want := len(job.Order) * ((len(job.Samples) + sgd.Batch - 1) / sgd.Batch); len(job.Mix) != want {
		return fmt.Errorf("%d items to mix with for %d steps", len(job.Mix), want)
	}
	for _, i := range job.Mix {
		if i < 0 || int(i) >= n {
			return fmt.Errorf("mixed item %d of %d", i, n)
		}
	}
	return nil
}

func (c *Contrast) check(net *Network, job Job, _ SGD) error {
	if _, err := items(net, c.Images); err != nil {
		return err
	}
	if want := c.Size(net.features); job.Extra == nil || job.Extra.handle == nil || job.Extra.n != want {
		return fmt.Errorf("no projection of %d values", want)
	}
	return nil
}

func (*Diverse) check(net *Network, _ Job, _ SGD) error {
	if !net.dual {
		return fmt.Errorf("the diversity of two encoders needs a network of two")
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
		return fmt.Errorf("a batch of %d samples", sgd.Batch)
	case !own:
		return nil
	case job.Weights != nil || sgd.Whole || sgd.Meta != nil:
		return fmt.Errorf("an objective beside the cross-entropy goes with steps of SGD and equal samples alone")
	case !diverse && (net.dual || parts&(Primary|Head) != Primary|Head):
		return fmt.Errorf("this objective needs a network of one encoder, all of it trained")
	}
	return objective.check(net, job, sgd)
}
