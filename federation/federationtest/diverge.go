package federationtest

import (
	"context"
	"math"
	"testing"

	"feddag/federation"
	"feddag/torch"
)

// sick is an engine one of whose clients diverges: its weights, or its loss alone, are no numbers.
type DivergingEngine struct {
	*torch.Engine
	Client  int
	Weights bool       // not the loss
	Parts   torch.Part // only in trainings of these; 0: in all
	Healthy bool       // for now
}

func (s *DivergingEngine) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	trained, err := s.Engine.Train(net, images, jobs, parts, sgd)
	for i := range trained {
		if s.Healthy || jobs[i].Client != s.Client || s.Parts != 0 && s.Parts != parts {
			continue
		}
		if s.Weights {
			trained[i].Finite = false
		} else {
			trained[i].Loss[len(trained[i].Loss)-1] = math.NaN()
		}
	}
	return trained, err
}

// sickEnv is tinyEnv where the first client of round 0 diverges once the rounds have begun.
func DivergingEnv(t *testing.T, name string, o federation.RunOptions) (*federation.Env, federation.Algorithm, *federation.Runner, *DivergingEngine) {
	t.Helper()
	e, a := TinyEnv(t, 2), Algorithm(t, name)
	x := &DivergingEngine{Engine: e.Executor.(*torch.Engine), Healthy: true}
	e.Executor = x
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := federation.NewRunner(e, a, o)
	if _, err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	return e, a, r, x
}

// lastRound keeps the last round's result.
type LastRound struct {
	Silent
	Result *federation.RoundResult
}

func (l LastRound) Round(r federation.RoundResult) error { *l.Result = r; return nil }
