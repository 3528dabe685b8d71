package federation

import (
	"context"

	"feddag/torch"
)

// Training is a kind of local training of a method and how often its clients do it.
type Training struct {
	What   string     // name of the training, for messages
	Dual   bool       // whether the network has two encoders
	Parts  torch.Part // parts of the network that are trained
	Epochs int        // 0 for the epochs of the run
	Before float64    // trainings of each client before the first round
	Rounds float64    // trainings of each client of the cohort in a round
	Final  float64    // trainings of each client after the last round

	Objective torch.Objective // loss of the training; nil for a loss that the engines have
}

// Planner is implemented by a method whose clients do not train exactly one network with one encoder once per round.
type Planner interface {
	// Trainings returns the kinds of local training that the clients do with the present options.
	Trainings() []Training
}

// Plan is the amount of work in a run, as far as it is known before the run.
type Plan struct {
	Trainings []Planned
	Clients   int // present clients
	Cohort    int // clients per round

	RoundTests int64 // test samples on which the cohorts' models are scored after local training, over all evaluated rounds
	AllTests   int64 // distinct test samples of all present clients, a lower bound of the predictions in an evaluation of all clients
	Evaluated  int   // evaluations of all clients, including the evaluation before the first round
}

// Planned is a kind of training and the amount of it in a run, over all clients.
type Planned struct {
	Training
	Steps   int64 // steps of SGD
	Samples int64 // training samples, counted once per epoch
	Longest int   // training samples of the largest client
}

// Plan returns the amount of work in a run of an algorithm. It goes through the cohorts of all rounds without training. It counts
// a uniform sample of the clients that are present at the start, even if the method chooses its clients itself or a scenario
// changes them. Plan calls [Env.Start] with a context that never ends, so the caller must call Start again before a run.
func (e *Env) Plan(a Algorithm) (*Plan, error) {
	if err := e.Start(context.Background()); err != nil {
		return nil, err
	}
	p := &Plan{Clients: len(e.present), Cohort: len(e.Sample(0)), AllTests: int64(len(e.testUnion(e.present)))}
	if e.evaluatesStart() {
		p.Evaluated = 1
	}
	kinds := []Training{{What: "training", Parts: torch.All, Rounds: 1, Final: 1}}
	if m, ok := a.(Planner); ok {
		kinds = m.Trainings()
	}
	var all, rounds Planned // one training of every client, and one training of every client of every cohort
	count := func(c *Client, to *Planned) {
		to.Steps += int64(e.Epochs) * int64((c.Size()+e.Batch-1)/e.Batch)
		to.Samples += int64(e.Epochs) * int64(c.Size())
		to.Longest = max(to.Longest, c.Size())
	}
	for _, c := range e.present {
		count(c, &all)
	}
	for t := range e.Rounds {
		for _, c := range e.Sample(t) {
			count(c, &rounds)
			if e.Evaluates(t) {
				p.RoundTests += int64(len(e.TestSamples(c)))
			}
		}
		if e.Evaluates(t) {
			p.Evaluated++
		}
	}
	for _, k := range kinds {
		if !e.FinalPost {
			k.Final = 0
		}
		once := k.Before + k.Final
		share := 1.0
		if k.Epochs > 0 {
			share = float64(k.Epochs) / float64(e.Epochs)
		}
		p.Trainings = append(p.Trainings, Planned{
			Training: k, Longest: max(all.Longest, rounds.Longest),
			Steps:   int64(share * (once*float64(all.Steps) + k.Rounds*float64(rounds.Steps))),
			Samples: int64(share * (once*float64(all.Samples) + k.Rounds*float64(rounds.Samples))),
		})
	}
	return p, nil
}
