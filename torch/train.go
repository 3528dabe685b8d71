package torch

import "fmt"

// Job is one client's local training: where it starts, on which samples, in which order.
type Job struct {
	Client   int       // named in errors
	Start    *Vector   // the weights the client receives; left untouched
	Samples  []int32   // the client's samples: indices into the Images
	LabelMap []uint8   // label -> the label this client uses; nil is the identity
	Order    [][]int32 // [epochs][len(Samples)] positions in Samples, a permutation an epoch
	Seed     uint64    // of the dropout masks; unused without dropout

	Weights  []float32 // [len(Samples)] of each sample's loss: a batch's is (1/b) Σ weight * cross-entropy; nil is all 1
	Proximal float64   // µ of the proximal term (µ/2)|w - Anchor|²; 0 is none
	Anchor   *Vector   // nil is Start

	Mix   []int32 // with [Mix], the item of each step: [epochs * batches]
	Extra *Vector // values of the objective's own ([Batch.Extra]), P with [Contrast]; left untouched
}

// fits says whether a network's batch norms can take the job's batches.
func (j Job) fits(net *Network, parts Part, sgd SGD) error {
	if parts&(Primary|Secondary) == 0 || sgd.Batch < 1 || len(j.Samples) == 0 {
		return nil
	}
	if last := (len(j.Samples)-1)%sgd.Batch + 1; last < net.least {
		return fmt.Errorf("%d samples in batches of %d leave %d for the last step, too few for batch norm on one pixel: use another batch size or group norm",
			len(j.Samples), sgd.Batch, last)
	}
	return nil
}

// SGD says how every job of a call trains. Each job starts with zero momentum. The loss is a mean over the batch; the last,
// partial batch of an epoch is kept.
type SGD struct {
	Batch        int     // samples a step
	LearningRate float64 // η
	Momentum     float64 // buffer <- Momentum*buffer + gradient
	WeightDecay  float64 // added to the gradient as WeightDecay*weight

	Whole     bool      // one step an epoch, with the mean gradient of all its samples
	Meta      *Meta     // the steps of Per-FedAvg in place of those of SGD, without momentum; nil for none
	Objective Objective // the loss; nil is the cross-entropy
}

// Trained is what a Job left behind.
type Trained struct {
	End  *Vector   // the weights after training; the caller closes it
	Loss []float64 // [epochs] mean training loss over the epoch's samples, weighted as the job says

	// Finite says whether all trained weights are numbers.
	Finite bool

	// Forward is the number of samples that an objective of another package passed through the network under the weights
	// in training, all epochs together; 0 with other losses, whose passes the engine plans.
	Forward int64

	Extra *Vector // what became of the job's; the caller closes it
}

// CloseTrained frees all that trainings left.
func CloseTrained(trained []Trained) {
	for _, t := range trained {
		t.End.Close()
		t.Extra.Close()
	}
}

// Prediction asks for the classes a network sees in samples.
type Prediction struct {
	State    *Vector // weights
	Samples  []int32 // indices into the Images
	LabelMap []uint8 // label -> the label the losses are against; nil is the identity

	LogProbabilities, Features bool // wanted, beside what is always returned
}

// Executor trains clients and predicts with networks. Both calls block until all jobs are done, and return results in
// the order of the jobs. Two executors given the same jobs agree to 1e-5; one executor given the same jobs twice
// returns the same bits, whatever its number of workers. That holds for one libtorch and one BLAS kernel ([Info]): on
// another processor sums are added in another order.
type Executor interface {
	// Train runs every job, changing only the given parts of the network; the others are frozen, and frozen encoders
	// run in evaluation mode. On an error it returns no vector.
	Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error)
	// Predict returns the most probable class of each sample (the lowest of equals) and its cross-entropy, and what
	// else the job asks for.
	Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error)
	// Close frees the executor's threads.
	Close()
}

// Predicted is what a Prediction came to.
type Predicted struct {
	Classes []uint8   // [len(Samples)]
	Losses  []float32 // [len(Samples)] cross-entropy, natural logarithm
	Loss    float64   // their mean

	LogProbabilities []float32 // [len(Samples), classes]; nil if not asked for
	Features         []float32 // [len(Samples), one or two encoders' features]; nil if not asked for
}
