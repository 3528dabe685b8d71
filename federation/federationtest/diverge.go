package federationtest

import (
	"context"
	"math"
	"testing"

	"feddag/federation"
	"feddag/torch"
)

// DivergingEngine is an executor in which the local trainings of one client diverge: the result says that the loss of the last
// epoch is NaN, or that the weights are not finite.
type DivergingEngine struct {
	*torch.Engine
	Client  int        // id of the client that diverges
	Weights bool       // the weights are not finite, but the loss is
	Parts   torch.Part // parts of the network in whose training the client diverges; 0 for every training
	Healthy bool       // no client diverges while it is set
}

// Train trains on the engine and marks the results of the client as diverged.
func (e *DivergingEngine) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	trained, err := e.Engine.Train(net, images, jobs, parts, sgd)
	for i := range trained {
		if e.Healthy || jobs[i].Client != e.Client || e.Parts != 0 && e.Parts != parts {
			continue
		}
		if e.Weights {
			trained[i].Finite = false
		} else {
			trained[i].Loss[len(trained[i].Loss)-1] = math.NaN()
		}
	}
	return trained, err
}

// DivergingEnv returns a started [TinyEnv], a registered algorithm, a runner that has begun, and the [DivergingEngine] of the
// environment. The engine is healthy: the caller sets Client and clears Healthy for the rounds in which the client diverges.
func DivergingEnv(t *testing.T, name string, o federation.RunOptions) (*federation.Env, federation.Algorithm, *federation.Runner, *DivergingEngine) {
	t.Helper()
	e, a := TinyEnv(t, 2), Algorithm(t, name)
	engine := &DivergingEngine{Engine: e.Executor.(*torch.Engine), Healthy: true}
	e.Executor = engine
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := federation.NewRunner(e, a, o)
	if _, err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	return e, a, r, engine
}
