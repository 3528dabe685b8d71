package federation

import (
	"errors"
	"math"
	"math/rand/v2"

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

// Task is one client's local training: the weights it receives, and what its method adds to the plain loss.
type Task struct {
	Client   *Client
	Start    *torch.Vector
	Proximal float64       // µ of (µ/2)|w - Anchor|²
	Anchor   *torch.Vector // nil is Start
	Weights  []float32     // [n_i] of each sample's loss; nil is all 1

	Mix        []int32       // see torch.Mix
	Projection *torch.Vector // see torch.Contrast
}

// SGD returns the run's settings of a local training.
func (e *Env) SGD() torch.SGD {
	return torch.SGD{Batch: e.Batch, LearningRate: e.LearningRate, Momentum: e.Momentum, WeightDecay: e.WeightDecay}
}

// LocalSGD is [Env.LocalTraining] with the run's settings.
func (e *Env) LocalSGD(net *torch.Network, tasks []Task, t int, phase Phase, parts torch.Part) ([]torch.Trained, error) {
	return e.LocalTraining(net, tasks, t, phase, parts, e.SGD(), e.Epochs)
}

// LocalTraining trains every task for some epochs, changing only the given parts, and returns the results in the order of
// the tasks. Shuffles come from (seed, round, client, phase, epoch). A loss or weights that are no numbers are a [Diverged].
func (e *Env) LocalTraining(net *torch.Network, tasks []Task, t int, phase Phase, parts torch.Part, sgd torch.SGD, epochs int) ([]torch.Trained, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	jobs := make([]torch.Job, len(tasks))
	var total int64
	for i, task := range tasks {
		c := task.Client
		keys := []uint64{uint64(t), uint64(c.ID), uint64(phase)}
		jobs[i] = torch.Job{
			Client: c.ID, Start: task.Start, Samples: c.Train, LabelMap: c.LabelMap,
			Order:   make([][]int32, epochs),
			Seed:    stream.New(e.Seed, "dropout", keys...).Uint64(),
			Weights: task.Weights, Proximal: task.Proximal, Anchor: task.Anchor, Mix: task.Mix, Projection: task.Projection,
		}
		for epoch := range jobs[i].Order {
			jobs[i].Order[epoch] = e.shuffle(c, append(keys, uint64(epoch)))
		}
		total += int64(epochs) * int64(c.Size())
	}
	var trained []torch.Trained
	err := e.runCancellable(Progress{Round: t, Phase: phase.String(), Total: total}, func() (err error) {
		if _, ok := e.Executor.(interface{ Cancel() }); ok {
			trained, err = e.Executor.Train(net, e.Train, jobs, parts, sgd)
			return err
		}
		for i := range jobs { // one at a time, so that the run can end between two
			one, err := e.Executor.Train(net, e.Train, jobs[i:i+1], parts, sgd)
			if err = errors.Join(err, e.ctx.Err()); err != nil {
				closeAll(append(trained, one...))
				return err
			}
			trained = append(trained, one...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if phase != PersonalPhase { // which is evaluation
		e.samples += total
	}
	if phase != FinalPhase && phase != PersonalPhase { // which only measure
		for _, task := range tasks {
			e.Ledger.Trained(task.Client, int64(epochs)*work(net, sgd, task.Client.Size()))
		}
	}
	err = diverged(net, tasks, trained, t, phase, sgd)
	if err != nil && phase == PersonalPhase && e.OnDivergence == DropOnDivergence {
		err = keepReceived(tasks, trained)
	}
	if err != nil {
		closeAll(trained)
		return nil, err
	}
	return trained, nil
}

// shuffle returns a permutation of a client's samples.
func (e *Env) shuffle(c *Client, keys []uint64) []int32 {
	order := make([]int32, c.Size())
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

// closeAll frees all that trainings left.
func closeAll(trained []torch.Trained) {
	for _, r := range trained {
		r.End.Close()
		r.Projection.Close()
	}
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
