package federation

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"
	"feddag/torch"
)

// Phase is a kind of local training. Its number is a key of the phase's random streams, so the meaning of a number must never
// change.
type Phase uint8

// The phases.
const (
	PrimaryPhase   Phase = iota // local training in the rounds; in FedDAG, local training of the primary encoders
	SecondaryPhase              // local training of FedDAG's secondary encoders
	WarmUpPhase                 // local training of each client alone, before the clustering
	FinalPhase                  // one more local training of each client, after the last round
	QueryPhase                  // answer of a client to a query of the server: one gradient (CFL-GP), one update (FBLG)
	PersonalPhase               // training of a client before it predicts
	HeadPhase                   // local training of FedDAG's heads alone, after its secondary encoders
)

// String returns the name of the phase for progress and messages, such as "training" or "warm-up".
func (p Phase) String() string {
	return [...]string{"training", "secondary", "warm-up", "final", "query", "personalising", "heads"}[p]
}

// Job returns the client's plain local training from the weights that it receives. A method may add to the job.
// [Env.LocalTraining] draws the order of the samples and the dropout masks.
func (c *Client) Job(start *torch.Vector) torch.Job {
	return torch.Job{Client: c.ID, Start: start, Samples: c.Train, LabelMap: c.LabelMap}
}

// SGD returns the settings of the steps of local training, by SGD or Adam, from the options of the run.
func (e *Env) SGD() torch.SGD {
	return torch.SGD{Batch: e.Batch, LearningRate: e.LearningRate, Momentum: e.Momentum, WeightDecay: e.WeightDecay, Adam: e.Optimizer.adam()}
}

// LocalSGD is [Env.LocalTraining] with the settings and the epochs of the run.
func (e *Env) LocalSGD(net *torch.Network, jobs []torch.Job, t int, phase Phase, parts torch.Part) ([]torch.Trained, error) {
	return e.LocalTraining(net, jobs, t, phase, parts, e.SGD(), e.Epochs)
}

// LocalTraining trains every job (see [Client.Job]) in round t for the given number of epochs and returns the results in the
// order of the jobs. Only the given parts of the network change. The order of the samples depends on the seed, the round, the
// client, the phase and the epoch. In the rounds the learning rate follows [Options].Schedule, and stragglers do fewer epochs.
// The error is a [Diverged] if a loss or weights become infinite or NaN; then there are no results to close.
func (e *Env) LocalTraining(net *torch.Network, jobs []torch.Job, t int, phase Phase, parts torch.Part, sgd torch.SGD, epochs int) ([]torch.Trained, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	e.warnOfAutograd(sgd.Objective)
	e.warnOfAdam(sgd)
	rate := sgd.LearningRate // as set by the flags
	sgd = e.scheduledSGD(sgd, t, phase)
	jobs = slices.Clone(jobs)
	var total int64
	for i := range jobs {
		job := &jobs[i]
		keys := []uint64{uint64(t), uint64(job.Client), uint64(phase)}
		job.Seed = stream.New(e.Seed, "dropout", keys...).Uint64()
		job.Order = make([][]int32, e.localEpochs(job.Client, phase, epochs))
		if job.Mix != nil { // it has one item per step
			job.Mix = job.Mix[:len(job.Mix)/epochs*len(job.Order)]
		}
		for epoch := range job.Order {
			job.Order[epoch] = e.shuffle(len(job.Samples), append(keys, uint64(epoch)))
		}
		total += int64(len(job.Order)) * int64(len(job.Samples))
	}
	trained, err := e.train(net, jobs, Progress{Round: t, Phase: phase.String(), Total: total}, parts, sgd)
	if err != nil {
		return nil, err
	}
	if phase != PersonalPhase { // that phase is part of evaluation
		e.samples += total
	}
	if phase != FinalPhase && phase != PersonalPhase { // these phases only measure
		for i, job := range jobs {
			e.Ledger.Trained(e.Clients[job.Client], work(net, sgd, job, trained[i]))
		}
	}
	err = diverged(net, jobs, trained, t, phase, rate)
	if err != nil && phase == PersonalPhase && e.OnDivergence == DropOnDivergence {
		err = restoreReceived(jobs, trained)
	}
	if err != nil {
		torch.CloseTrained(trained)
		return nil, err
	}
	return trained, nil
}

// train runs the jobs on the executor and returns their results. When the run is interrupted, it returns the error of the run's
// context. An executor that cannot be cancelled gets the jobs one at a time.
func (e *Env) train(net *torch.Network, jobs []torch.Job, p Progress, parts torch.Part, sgd torch.SGD) (trained []torch.Trained, err error) {
	err = e.runCancellable(p, func() (err error) {
		if _, ok := e.Executor.(interface{ Cancel() }); ok {
			trained, err = e.trainByEpochs(net, jobs, parts, sgd)
			return err
		}
		for i := range jobs {
			one, err := e.Executor.Train(net, e.Train, jobs[i:i+1], parts, sgd)
			if err = errors.Join(err, e.ctx.Err()); err != nil {
				torch.CloseTrained(append(trained, one...))
				return err
			}
			trained = append(trained, one...)
		}
		return nil
	})
	return trained, err
}

// trainByEpochs runs the jobs on the executor, with one call for each number of epochs, because all jobs of a call must have the
// same number.
func (e *Env) trainByEpochs(net *torch.Network, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	byEpochs := map[int][]int{} // indices of the jobs
	for i, job := range jobs {
		byEpochs[len(job.Order)] = append(byEpochs[len(job.Order)], i)
	}
	if len(byEpochs) == 1 {
		return e.Executor.Train(net, e.Train, jobs, parts, sgd)
	}
	trained := make([]torch.Trained, len(jobs))
	for _, epochs := range slices.Sorted(maps.Keys(byEpochs)) {
		places := byEpochs[epochs]
		some := make([]torch.Job, len(places))
		for k, i := range places {
			some[k] = jobs[i]
		}
		done, err := e.Executor.Train(net, e.Train, some, parts, sgd)
		if err != nil {
			torch.CloseTrained(trained)
			return nil, err
		}
		for k, i := range places {
			trained[i] = done[k]
		}
	}
	return trained, nil
}

// warnOfAutograd warns that local training is slower than with other methods if the loss runs by autograd.
func (e *Env) warnOfAutograd(o torch.Objective) {
	x := e.Executor
	if w, ok := x.(interface{ Unwrap() torch.Executor }); ok {
		x = w.Unwrap()
	}
	if _, eager := x.(*torch.Eager); eager || torch.Builtin(o) {
		return
	}
	e.Warn("the method has a loss of its own, which runs by autograd in fp32: local training takes several times as long as with a loss of the engine")
}

// shuffle returns a random permutation of the numbers 0 to n-1 from the stream of the keys.
func (e *Env) shuffle(n int, keys []uint64) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	stream.New(e.Seed, "shuffle", keys...).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// Ends returns the weights after each training.
func Ends(trained []torch.Trained) torch.Vectors {
	v := make(torch.Vectors, len(trained))
	for i, r := range trained {
		v[i] = r.End
	}
	return v
}

// LastLoss returns the mean over the trainings of the loss in the last epoch, NaN if there are no trainings.
func LastLoss(trained []torch.Trained) float64 {
	if len(trained) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, r := range trained {
		sum += r.Loss[len(r.Loss)-1]
	}
	return sum / float64(len(trained))
}

// InitStream returns the random stream of the run's initialisation k: 0 for θ^0, 1 for the secondary encoder, and 2 for the head of
// a network with two encoders.
func (e *Env) InitStream(k uint64) *rand.Rand { return stream.New(e.Seed, "init", k) }
