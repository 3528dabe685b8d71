package torch

import (
	"errors"
	"fmt"
)

// Job is the local training of one client: the start, the samples and their order.
type Job struct {
	Client   int       // id of the client, for errors
	Start    *Vector   // the weights that the client receives; not changed
	Samples  []int32   // the client's samples: indices into the Images
	LabelMap []uint8   // label -> label that the client uses; nil for the identity
	Order    [][]int32 // [epochs][len(Samples)] positions in Samples, one permutation per epoch
	Seed     uint64    // seed of the dropout masks; not used without dropout

	Weights  []float32 // [len(Samples)] weight of each sample: the loss of a batch is (1/b) Σ weight * cross-entropy; nil for weights of 1
	Proximal float64   // µ of the proximal term (µ/2)|w - Anchor|²; 0 for none
	Anchor   *Vector   // nil for Start

	Mix   []int32 // with [Mix], the item of each step, [epochs * batches]
	Extra *Vector // the objective's own values ([Batch.Extra]), such as P of [Contrast]; not changed
}

// fits returns an error unless the batch norms of a network can take the batches of the job.
func (j Job) fits(net *Network, parts Part, sgd SGD) error {
	if parts&(Primary|Secondary) == 0 || sgd.Batch < 1 || len(j.Samples) == 0 {
		return nil
	}
	if last := (len(j.Samples)-1)%sgd.Batch + 1; last < net.least {
		return fmt.Errorf("%d samples in batches of %d leave %d for the last step, too few for a batch norm on one pixel: use another batch size, or group norm",
			len(j.Samples), sgd.Batch, last)
	}
	return nil
}

// SGD says how every job of a call trains. Each job starts with a momentum of zero. The loss is a mean over the batch. The
// last batch of an epoch may be smaller.
type SGD struct {
	Batch        int     // number of samples per step
	LearningRate float64 // η
	Momentum     float64 // buffer <- Momentum*buffer + gradient
	WeightDecay  float64 // added to the gradient as WeightDecay*weight
	Adam         *Adam   // makes the steps of Adam instead of SGD with momentum; nil for SGD

	Whole     bool      // one step per epoch, with the mean gradient of all samples
	Meta      *Meta     // makes the steps of Per-FedAvg, without momentum, instead of SGD; nil for SGD
	Objective Objective // the loss; nil for the cross-entropy
}

// Adam makes the steps of Adam (Kingma, Ba, ICLR 2015), or of AdamW (Loshchilov, Hutter, ICLR 2019) with Decoupled, as
// PyTorch's torch.optim.Adam and AdamW do. Every job starts with moments of zero. The proximal term is part of the gradient.
type Adam struct {
	Beta1, Beta2 float64 // decay of the mean of gradients and of the mean of their squares
	Epsilon      float64 // added to the denominator
	Decoupled    bool    // AdamW: WeightDecay shrinks the weights and is not part of the gradient
}

// check returns an error for a combination of settings that no executor supports.
func (s SGD) check() error {
	if s.Adam != nil && s.Meta != nil {
		return errors.New("Per-FedAvg uses plain SGD and cannot be combined with Adam")
	}
	return nil
}

// Trained is the result of a Job.
type Trained struct {
	End  *Vector   // the weights after training; the caller closes it
	Loss []float64 // [epochs] mean training loss over the epoch's samples, weighted as the job says

	// Finite reports whether all trained weights are finite numbers.
	Finite bool

	// Forward is the number of samples, over all epochs, that an objective of another package passed through the network
	// under the weights in training. It is 0 with other losses, whose passes the engine plans.
	Forward int64

	Extra *Vector // the Extra values after training; the caller closes them
}

// CloseTrained frees all vectors in the results of trainings.
func CloseTrained(trained []Trained) {
	for _, t := range trained {
		t.End.Close()
		t.Extra.Close()
	}
}

// Prediction asks for the classes that a network predicts for samples.
type Prediction struct {
	State    *Vector // weights
	Samples  []int32 // indices into the Images
	LabelMap []uint8 // label -> label that the losses use; nil for the identity

	LogProbabilities, Features bool // optional results that are wanted
}

// Executor trains clients and predicts with networks. Both calls block until all jobs are done, and return results in the
// order of the jobs. Two executors that are given the same jobs agree to 1e-5. One executor that is given the same jobs
// twice returns the same bits, for any number of workers. That holds for one libtorch and one BLAS kernel ([Info]); on
// another processor, sums are added in another order.
type Executor interface {
	// Train runs every job. It changes only the given parts of the network; the others are frozen, and frozen encoders run
	// in evaluation mode. On an error it returns no vectors.
	Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error)
	// Predict returns the most probable class of each sample (the lowest of equal ones), its cross-entropy, and the
	// optional results that the job asks for.
	Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error)
	// Close frees the executor's threads.
	Close()
}

// Predicted is the result of a Prediction.
type Predicted struct {
	Classes []uint8   // [len(Samples)]
	Losses  []float32 // [len(Samples)] cross-entropy, natural logarithm
	Loss    float64   // their mean

	LogProbabilities []float32 // [len(Samples), classes]; nil if not asked for
	Features         []float32 // [len(Samples), one or two encoders' features]; nil if not asked for
}
