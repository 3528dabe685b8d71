package feddag

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// enlarge makes the images of an environment three times as high and wide for everything but the training, so that the filters
// of the feature sketches fit them.
func enlarge(e *federation.Env) {
	const factor = 3
	set := *e.Data
	set.Height, set.Width = factor*set.Height, factor*set.Width
	set.Train.Pixels = nil
	for i := range e.Data.Train.Len() {
		image := e.Data.Image(e.Data.Train, i)
		for y := range set.Height {
			for x := range set.Width {
				set.Train.Pixels = append(set.Train.Pixels, image[y/factor*e.Data.Width+x/factor])
			}
		}
	}
	e.Data = &set
}

// TestUnreadByTests checks that the flags of the search are declared as unread where tests find the clusters.
func TestUnreadByTests(t *testing.T) {
	names := func(a *FedDAG) (names []string) {
		for _, u := range a.Unread() {
			names = append(names, u.Name)
		}
		return names
	}
	a := newFedDAG(FullVariant)
	if got := names(a); got != nil {
		t.Errorf("by similarity, unread are %v", got)
	}
	a.ClustersBy = ClustersByTest
	want := []string{"feddag-method", "feddag-linkage", "feddag-choose", "feddag-concepts", "feddag-shift"}
	if got := names(a); !slices.Equal(got, want) {
		t.Errorf("by tests, unread are %v, want %v", got, want)
	}
}

// TestClustersByTest checks that the clusters are those which the tests find, that the run goes on with them, that the clients
// send the feature sketches, and that nothing depends on the number of workers.
func TestClustersByTest(t *testing.T) {
	var first *FedDAG
	for _, workers := range []int{1, 3} {
		e, a := federationtest.TinyEnv(t, workers), federationtest.Algorithm(t, "feddag").(*FedDAG)
		enlarge(e)
		a.ClustersBy = ClustersByTest
		a.Clustering.Choose = "count:1" // the search would find one cluster
		if err := errors.Join(a.Validate(), e.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
		r, err := a.Cluster(e)
		if err != nil {
			t.Fatal(err)
		}
		want := [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}
		if r.Test == nil || r.Candidates != nil || !equalClusters(a.Clusters(), want) || !equalClusters(r.Clusters, want) {
			t.Fatalf("clusters %v of the result %+v, want %v", a.Clusters(), r, want)
		}
		if len(r.Graph) != 2 || !slices.Equal(r.Graph[0], []int{1}) || !slices.Equal(r.Graph[1], []int{0}) {
			t.Errorf("the CC-graph is %v", r.Graph)
		}
		d := 40
		for _, c := range e.Clients {
			if got, want := e.Ledger.Total.Up["feature means"], int64(4*len(e.Clients)*2*e.Data.Classes*(d+1)); got != want {
				t.Fatalf("client %d: the clients send %d bytes of feature means, want %d", c.ID, got, want)
			}
		}

		e, a = federationtest.TinyEnv(t, workers), federationtest.Algorithm(t, "feddag").(*FedDAG)
		enlarge(e)
		a.ClustersBy = ClustersByTest
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		if !equalClusters(a.Clusters(), want) {
			t.Errorf("after a run the clusters are %v, want %v", a.Clusters(), want)
		}
		if first == nil {
			first = a
			continue
		}
		for z := range a.states {
			x, err := first.states[z].Floats()
			y, err2 := a.states[z].Floats()
			if err := errors.Join(err, err2); err != nil || !slices.Equal(x, y) {
				t.Errorf("cluster %d: another number of workers gives another model (%v)", z, err)
			}
		}
	}
}

// TestClustersByTestMistakes checks the errors of images that are too small for the filters, and of clients that may change.
func TestClustersByTestMistakes(t *testing.T) {
	for want, change := range map[string]func(e *federation.Env){
		"the images have 4 x 4 pixels": func(*federation.Env) {},
		"leave out --scenario and --holdout": func(e *federation.Env) {
			enlarge(e)
			e.Clients[7].HeldOut = true
		},
	} {
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "feddag").(*FedDAG)
		a.ClustersBy = ClustersByTest
		change(e)
		err := errors.Join(e.Start(context.Background()), a.Init(e))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--feddag-clustering test") {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
