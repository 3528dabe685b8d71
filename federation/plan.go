package federation

import (
	"context"

	"feddag/torch"
)

// Training is a kind of local training that clients do, for a plan.
type Training struct {
	What   string
	Dual   bool       // a network of two encoders
	Parts  torch.Part // trained
	Epochs int        // 0: the run's
	Before float64    // times a client does it before round 0
	Rounds float64    // times a client of a cohort does it in a round
	Final  float64    // times a client does it after the last round

	Objective torch.Objective // of another package than torch; nil for the losses that the engines have
}

// Planner is for methods whose clients train otherwise than one network once a round.
type Planner interface {
	Trainings() []Training
}

// Plan is what a run will do, as far as that is known before it.
type Plan struct {
	Trainings []Planned
	Clients   int // that are there
	Cohort    int // clients of a round

	RoundTests int64 // test samples that a round's cohort is scored on after its training, all rounds
	AllTests   int64 // distinct test samples that an evaluation of all clients sees at least
	Evaluated  int   // evaluations of all clients, that before round 0 included
}

// Planned is a kind of training and how much of it there is.
type Planned struct {
	Training
	Steps   int64 // of SGD, all clients together
	Samples int64 // every epoch counted
	Longest int   // samples of the largest client
}

// Plan goes through the cohorts of a run without training. Where a method chooses its clients itself, or a scenario
// changes them, it counts the uniform sample of those who are there at the start. Start must come after it.
func (e *Env) Plan(a Algorithm) (*Plan, error) {
	if err := e.Start(context.Background()); err != nil {
		return nil, err
	}
	p := &Plan{Clients: len(e.present), Cohort: len(e.Sample(0)), AllTests: int64(len(union(e.present, e.Data.Test.Len())))}
	kinds := []Training{{What: "training", Parts: torch.All, Rounds: 1, Final: 1}}
	if m, ok := a.(Planner); ok {
		kinds = m.Trainings()
	}
	var all, rounds Planned // one training of every client; one of every client of every cohort
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
			p.RoundTests += int64(len(c.Test))
		}
	}
	p.Evaluated = 1 + (e.Rounds+e.EvalEvery-1)/e.EvalEvery
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
