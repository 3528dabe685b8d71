package federation

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"feddag/federation/stream"
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
)

func (p Phase) String() string {
	return [...]string{"training", "secondary", "warm-up", "final", "query"}[p]
}

// Task is one client's local training: the weights it receives, and what its method adds to the plain loss.
type Task struct {
	Client   *Client
	Start    *torch.Vector
	Proximal float64       // µ of (µ/2)|w - Anchor|²
	Anchor   *torch.Vector // nil is Start
	Weights  []float32     // [n_i] of each sample's loss; nil is all 1
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
// the tasks. Shuffles come from (seed, round, client, phase, epoch). A loss that is not finite is an error.
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
			Weights: task.Weights, Proximal: task.Proximal, Anchor: task.Anchor,
		}
		for epoch := range jobs[i].Order {
			jobs[i].Order[epoch] = e.shuffle(c, append(keys, uint64(epoch)))
		}
		total += int64(epochs) * int64(c.Size())
	}
	var trained []torch.Trained
	err := e.await(Progress{Round: t, Phase: phase.String(), Total: total}, func() (err error) {
		if _, ok := e.Executor.(interface{ Cancel() }); ok {
			trained, err = e.Executor.Train(net, e.Train, jobs, parts, sgd)
			return err
		}
		for i := range jobs { // one at a time, so that the run can end between two
			one, err := e.Executor.Train(net, e.Train, jobs[i:i+1], parts, sgd)
			if err = errors.Join(err, e.ctx.Err()); err != nil {
				ends(append(trained, one...)).Close()
				return err
			}
			trained = append(trained, one...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.samples += total
	if phase != FinalPhase { // which only measures
		for _, task := range tasks {
			e.Ledger.Trained(task.Client, int64(epochs)*int64(task.Client.Size()))
		}
	}
	for i, r := range trained {
		for epoch, loss := range r.Loss {
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				ends(trained).Close()
				return nil, fmt.Errorf("client %d, round %d, %s: the training loss is %v in epoch %d; lower --lr (now %g)",
					jobs[i].Client, t, phase, loss, epoch, sgd.LearningRate)
			}
		}
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
func ends(trained []torch.Trained) vectors {
	v := make(vectors, len(trained))
	for i, r := range trained {
		v[i] = r.End
	}
	return v
}

// lastLoss is the mean over the clients of each one's loss in its last epoch.
func lastLoss(trained []torch.Trained) float64 {
	if len(trained) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, r := range trained {
		sum += r.Loss[len(r.Loss)-1]
	}
	return sum / float64(len(trained))
}

// await makes a call of the executor, tells the observers how far it is, and cancels it when the run is.
func (e *Env) await(p Progress, call func() error) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	counter, _ := e.Executor.(interface{ Progress() int64 })
	here := p.Total
	if e.span.total > 0 {
		p.Total = e.span.total
	}
	show := func(done int64) {
		p.Done = min(e.span.done+min(done, here), p.Total)
		for _, o := range e.Observers {
			o.Phase(p)
		}
	}
	var before int64
	if counter != nil {
		before = counter.Progress()
	}
	show(0)
	done := make(chan error, 1)
	go func() { done <- call() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	stop := e.ctx.Done()
	for {
		select {
		case err := <-done:
			if err != nil && e.ctx.Err() != nil {
				return errors.Join(e.ctx.Err(), err)
			}
			if err == nil {
				show(here)
				e.span.done += here
			}
			return err
		case <-stop:
			stop = nil
			if c, ok := e.Executor.(interface{ Cancel() }); ok {
				c.Cancel()
			}
		case <-tick.C:
			if counter != nil {
				show(counter.Progress() - before)
			}
		}
	}
}

// initStream is the stream of the run's initialisation k: 0 is θ^0, 1 the secondary encoder, 2 the head of two encoders.
func (e *Env) initStream(k uint64) *rand.Rand { return stream.New(e.Seed, "init", k) }
