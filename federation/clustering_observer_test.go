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

// clusteringRecorder records the notifications of an observer about a clustering. It can interrupt the run at one of the
// clustering's steps.
type clusteringRecorder struct {
	federationtest.Canceller
	stopAt   string // step at which the run is interrupted; empty for none
	clients  int
	sketches similarity.Sketches
	options  similarity.Options
	steps    []string
	result   *similarity.Result
}

func (l *clusteringRecorder) Clustered(r *similarity.Result) error {
	l.result = r
	return nil
}

func (l *clusteringRecorder) Sketched(clients []*federation.Client, sketches similarity.Sketches, o similarity.Options) error {
	l.clients, l.sketches, l.options = len(clients), sketches, o
	return nil
}

func (l *clusteringRecorder) Clustering(step string, _, _ int) {
	if !slices.Contains(l.steps, step) {
		l.steps = append(l.steps, step)
	}
	if step == l.stopAt {
		l.Cancel()
	}
}

var _ federation.ClusterObserver = (*clusteringRecorder)(nil)

// TestSketchesAreObserved checks that observers receive the sketches and options of the clustering: clustering these sketches
// again gives the same clusters.
func TestSketchesAreObserved(t *testing.T) {
	for foundBy, steps := range map[string][]string{
		similarity.FoundBySimilarity: {"gradient angles", "class angles", "gates", "linkage", "candidates"},
		similarity.FoundByTest:       {"tests", "CC-graph"},
	} {
		e := federationtest.TinyEnv(t, 2)
		l := &clusteringRecorder{}
		e.Observers = []federation.Observer{l}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := federationtest.Algorithm(t, "feddag --feddag-clustering "+foundBy).(*feddag.FedDAG)
		r, err := a.Cluster(e)
		if err != nil {
			t.Fatal(err)
		}
		if l.clients != 8 || l.result != r || l.options.Seed != e.Seed || r.FoundBy != foundBy {
			t.Fatalf("by %s: observed %d clients, options %+v", foundBy, l.clients, l.options)
		}
		again, err := l.sketches.Cluster(l.options, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(again.Clusters, r.Clusters, slices.Equal) {
			t.Errorf("by %s: the sketches give clusters %v, the run %v", foundBy, again.Clusters, r.Clusters)
		}
		for _, step := range steps {
			if !slices.Contains(l.steps, step) {
				t.Errorf("by %s: step %s was not observed: %v", foundBy, step, l.steps)
			}
		}
	}
}

// TestClusteringIsInterrupted checks that an interrupt ends a clustering at its next step.
func TestClusteringIsInterrupted(t *testing.T) {
	for foundBy, step := range map[string]string{similarity.FoundBySimilarity: "class angles", similarity.FoundByTest: "tests"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		e := federationtest.TinyEnv(t, 2)
		l := &clusteringRecorder{Canceller: federationtest.Canceller{Cancel: cancel}, stopAt: step}
		e.Observers = []federation.Observer{l}
		if err := e.Start(ctx); err != nil {
			t.Fatal(err)
		}
		_, err := federationtest.Algorithm(t, "feddag --feddag-clustering "+foundBy).(*feddag.FedDAG).Cluster(e)
		if !errors.Is(err, context.Canceled) || l.result != nil || slices.Contains(l.steps, "linkage") || slices.Contains(l.steps, "CC-graph") {
			t.Errorf("by %s: got %v, steps %v", foundBy, err, l.steps)
		}
	}
}
