package federation_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm/feddag"
	"feddag/federation/federationtest"
	"feddag/similarity"
)

// listener hears a clustering, and may end the run at one of its steps.
type listener struct {
	federationtest.Canceller
	at       string
	clients  int
	sketches []similarity.Sketch
	options  similarity.Options
	steps    []string
	found    *similarity.Result
}

func (l *listener) Clustered(r *similarity.Result) error {
	l.found = r
	return nil
}

func (l *listener) Sketched(clients []*federation.Client, sketches []similarity.Sketch, o similarity.Options) error {
	l.clients, l.sketches, l.options = len(clients), sketches, o
	return nil
}

func (l *listener) Clustering(step string, _, _ int) {
	if !slices.Contains(l.steps, step) {
		l.steps = append(l.steps, step)
	}
	if step == l.at {
		l.Cancel()
	}
}

// What an observer hears is what was clustered: it comes to the same clusters by itself.
func TestSketchesAreHeard(t *testing.T) {
	e := federationtest.TinyEnv(t, 2)
	l := &listener{}
	e.Observers = []federation.Observer{l}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := federationtest.Algorithm(t, "feddag").(*feddag.FedDAG)
	r, err := a.Cluster(e)
	if err != nil {
		t.Fatal(err)
	}
	if l.clients != 8 || l.found != r || l.options.Seed != e.Seed {
		t.Fatalf("heard of %d clients, options %+v", l.clients, l.options)
	}
	again, err := similarity.Cluster(l.sketches, l.options)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(again.Clusters, r.Clusters, slices.Equal) {
		t.Errorf("the sketches give clusters %v, the run %v", again.Clusters, r.Clusters)
	}
	for _, step := range []string{"gradient angles", "class angles", "gates", "linkage", "candidates"} {
		if !slices.Contains(l.steps, step) {
			t.Errorf("no word of %s: %v", step, l.steps)
		}
	}
}

// An interrupt ends a clustering at its next step.
func TestClusteringIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := federationtest.TinyEnv(t, 2)
	l := &listener{Canceller: federationtest.Canceller{Cancel: cancel}, at: "class angles"}
	e.Observers = []federation.Observer{l}
	if err := e.Start(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := federationtest.Algorithm(t, "feddag").(*feddag.FedDAG).Cluster(e)
	if !errors.Is(err, context.Canceled) || l.found != nil || slices.Contains(l.steps, "linkage") {
		t.Errorf("got %v, steps %v", err, l.steps)
	}
}
