package federation

import (
	"slices"

	"feddag/internal/stream"
	"feddag/torch"
)

// FirstLosses returns the losses of the first mini-batches of [Env.LocalTraining] with the same arguments, [jobs][steps]: element s
// is the mean loss of batch s of the first epoch under the weights after s steps. If the first epoch of a job has fewer batches
// than steps, all jobs have as many losses as this epoch has batches. The jobs must not have sample weights.
//
// A real client knows these losses from its training. The engines report only means over epochs, so FirstLosses trains on the
// first batches again and takes the differences. This takes steps (steps+1) / 2 steps for each job, which the ledger does not
// count.
func (e *Env) FirstLosses(net *torch.Network, jobs []torch.Job, t int, phase Phase, parts torch.Part, sgd torch.SGD, steps int) ([][]float64, error) {
	sgd = e.scheduledSGD(sgd, t, phase)
	orders := make([][]int32, len(jobs))
	for i, job := range jobs {
		orders[i] = e.shuffle(len(job.Samples), []uint64{uint64(t), uint64(job.Client), uint64(phase), 0})
		steps = min(steps, (len(job.Samples)+sgd.Batch-1)/sgd.Batch)
	}
	losses, sums := make([][]float64, len(jobs)), make([]float64, len(jobs)) // sums of the losses of the samples so far
	for s := range steps {
		prefixes := slices.Clone(jobs)
		for i := range prefixes {
			job := &prefixes[i]
			n := min((s+1)*sgd.Batch, len(job.Samples))
			samples, order := make([]int32, n), make([]int32, n)
			for k := range samples {
				samples[k], order[k] = jobs[i].Samples[orders[i][k]], int32(k)
			}
			job.Seed = stream.New(e.Seed, "dropout", uint64(t), uint64(job.Client), uint64(phase)).Uint64()
			job.Samples, job.Order = samples, [][]int32{order}
		}
		trained, err := e.train(net, prefixes, Progress{Round: t, Phase: phase.String()}, parts, sgd)
		if err != nil {
			return nil, err
		}
		for i, r := range trained {
			sum, batch := r.Loss[0]*float64(len(prefixes[i].Samples)), len(prefixes[i].Samples)-s*sgd.Batch
			losses[i] = append(losses[i], (sum-sums[i])/float64(batch))
			sums[i] = sum
		}
		torch.CloseTrained(trained)
	}
	return losses, nil
}
