package federation

import (
	"context"
	"math"
	"testing"

	"feddag/torch"
)

// sick is an engine one of whose clients diverges: its weights, or its loss alone, are no numbers.
type sick struct {
	*torch.Engine
	client  int
	weights bool       // not the loss
	parts   torch.Part // only in trainings of these; 0: in all
	well    bool       // for now
}

func (s *sick) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	trained, err := s.Engine.Train(net, images, jobs, parts, sgd)
	for i := range trained {
		if s.well || jobs[i].Client != s.client || s.parts != 0 && s.parts != parts {
			continue
		}
		if s.weights {
			trained[i].Finite = false
		} else {
			trained[i].Loss[len(trained[i].Loss)-1] = math.NaN()
		}
	}
	return trained, err
}

// sickEnv is tinyEnv where the first client of round 0 diverges once the rounds have begun.
func sickEnv(t *testing.T, name string, o RunOptions) (*Env, Algorithm, *run, *sick) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, name)
	x := &sick{Engine: e.Executor.(*torch.Engine), well: true}
	e.Executor = x
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := newRun(e, a, o)
	if _, err := r.begin(); err != nil {
		t.Fatal(err)
	}
	return e, a, r, x
}

// lastRound keeps the last round's result.
type lastRound struct {
	silent
	told *RoundResult
}

func (l lastRound) Round(r RoundResult) error { *l.told = r; return nil }
