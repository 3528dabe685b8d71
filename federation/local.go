package federation

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"
	"feddag/torch"
)

// Phase names a kind of local training. Its number keys the phase's random streams: never reuse one.
type Phase uint8

// The phases.
const (
	PrimaryPhase   Phase = iota // FedDAG's first phase, and every method's plain local training
	SecondaryPhase              // FedDAG's second phase
	WarmUpPhase                 // each client alone, before the clustering
	FinalPhase                  // each client once more, after the last round
	QueryPhase                  // a question to the clients: one gradient (CFL-GP), one update (FBLG)
	PersonalPhase               // what a client does before it predicts
	HeadPhase                   // FedDAG's heads alone, after its secondary encoders
)

func (p Phase) String() string {
	return [...]string{"training", "secondary", "warm-up", "final", "query", "personalising", "heads"}[p]
}

// Job returns the client's local training from the weights that it receives. A method adds what its training has beside
// the plain one; [Env.LocalTraining] draws the order of the samples and the dropout masks.
func (c *Client) Job(start *torch.Vector) torch.Job {
	return torch.Job{Client: c.ID, Start: start, Samples: c.Train, LabelMap: c.LabelMap}
}

// SGD returns the run's settings of a local training.
func (e *Env) SGD() torch.SGD {
	return torch.SGD{Batch: e.Batch, LearningRate: e.LearningRate, Momentum: e.Momentum, WeightDecay: e.WeightDecay}
}

// LocalSGD is [Env.LocalTraining] with the run's settings.
func (e *Env) LocalSGD(net *torch.Network, jobs []torch.Job, t int, phase Phase, parts torch.Part) ([]torch.Trained, error) {
	return e.LocalTraining(net, jobs, t, phase, parts, e.SGD(), e.Epochs)
}

// LocalTraining trains every job (see [Client.Job]) for some epochs, changing only the given parts, and returns the results
// in the order of the jobs. Shuffles come from (seed, round, client, phase, epoch). A loss or weights that are no numbers
// are a [Diverged].
func (e *Env) LocalTraining(net *torch.Network, jobs []torch.Job, t int, phase Phase, parts torch.Part, sgd torch.SGD, epochs int) ([]torch.Trained, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	e.warnOfAutograd(sgd.Objective)
	jobs = slices.Clone(jobs)
	var total int64
	for i := range jobs {
		job := &jobs[i]
		keys := []uint64{uint64(t), uint64(job.Client), uint64(phase)}
		job.Seed = stream.New(e.Seed, "dropout", keys...).Uint64()
		job.Order = make([][]int32, epochs)
		for epoch := range job.Order {
			job.Order[epoch] = e.shuffle(len(job.Samples), append(keys, uint64(epoch)))
		}
		total += int64(epochs) * int64(len(job.Samples))
	}
	trained, err := e.train(net, jobs, Progress{Round: t, Phase: phase.String(), Total: total}, parts, sgd)
	if err != nil {
		return nil, err
	}
	if phase != PersonalPhase { // which is evaluation
		e.samples += total
	}
	if phase != FinalPhase && phase != PersonalPhase { // which only measure
		for i, job := range jobs {
			e.Ledger.Trained(e.Clients[job.Client], work(net, sgd, job, trained[i]))
		}
	}
	err = diverged(net, jobs, trained, t, phase, sgd)
	if err != nil && phase == PersonalPhase && e.OnDivergence == DropOnDivergence {
		err = keepReceived(jobs, trained)
	}
	if err != nil {
		torch.CloseTrained(trained)
		return nil, err
	}
	return trained, nil
}

// train has the executor do the jobs, until it is done or the run is interrupted.
func (e *Env) train(net *torch.Network, jobs []torch.Job, p Progress, parts torch.Part, sgd torch.SGD) (trained []torch.Trained, err error) {
	err = e.runCancellable(p, func() (err error) {
		if _, ok := e.Executor.(interface{ Cancel() }); ok {
			trained, err = e.Executor.Train(net, e.Train, jobs, parts, sgd)
			return err
		}
		for i := range jobs { // one at a time, so that the run can end between two
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

// warnOfAutograd says once in a run why local training is slower than that of other methods.
func (e *Env) warnOfAutograd(o torch.Objective) {
	if _, eager := e.Executor.(*torch.Eager); eager || e.warnedOfAutograd || torch.Builtin(o) {
		return
	}
	e.warnedOfAutograd = true
	e.Warn("the method has a loss of its own, which runs by autograd in fp32: local training takes several times as long as the engine's")
}

// shuffle returns a permutation of n samples.
func (e *Env) shuffle(n int, keys []uint64) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	stream.New(e.Seed, "shuffle", keys...).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// ends returns the vectors of finished trainings.
func Ends(trained []torch.Trained) torch.Vectors {
	v := make(torch.Vectors, len(trained))
	for i, r := range trained {
		v[i] = r.End
	}
	return v
}

// lastLoss is the mean over the clients of each one's loss in its last epoch.
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

// initStream is the stream of the run's initialisation k: 0 is θ^0, 1 the secondary encoder, 2 the head of two encoders.
func (e *Env) InitStream(k uint64) *rand.Rand { return stream.New(e.Seed, "init", k) }

// initial returns the state all clients of a single-encoder method start from, θ^0 of the run's seed: the same for
// every algorithm.
func (e *Env) InitialState(net *torch.Network) []float32 {
	x := make([]float32, net.Len())
	net.Init(x, torch.All, e.InitStream(0))
	return x
}
