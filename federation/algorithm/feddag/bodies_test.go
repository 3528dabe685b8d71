package feddag

import (
	"context"
	"errors"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/similarity"
	"feddag/torch"
)

// TestBodiesOfClustersThatSeeLikeImages checks that two clusters that label the same images differently share an encoder but have
// their own heads, and that clusters with different images have their own encoders.
func TestBodiesOfClustersThatSeeLikeImages(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		change func(*federation.Env)
		bodies [][]int
	}{
		{"concepts", BodyAlike, federationtest.TwoConcepts, [][]int{{0, 1}}},
		{"concepts, with a server optimiser", BodyAlike, func(e *federation.Env) {
			federationtest.TwoConcepts(e)
			e.Server.Name, e.Server.LearningRate = federation.ServerAdam, 0.5
		}, [][]int{{0, 1}}},
		{"other classes", BodyAlike, func(*federation.Env) {}, [][]int{{0}, {1}}},
		{"other classes, one body for all", BodyAll, func(*federation.Env) {}, [][]int{{0, 1}}},
		{"concepts, each its own", BodyOwn, federationtest.TwoConcepts, nil},
	} {
		for encoders := 1; encoders <= 2; encoders++ {
			e, a := federationtest.TinyEnv(t, 2), newFedDAG(FullVariant)
			a.Encoders = encoders
			t.Cleanup(a.Close)
			c.change(e)
			a.Body = c.body
			federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "feddag"})
			if !equalClusters(a.Clusters(), [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}) || !equalClusters(a.bodies, c.bodies) {
				t.Fatalf("%s, %d encoders: clusters %v, bodies %v, want %v", c.name, encoders, a.Clusters(), a.bodies, c.bodies)
			}
			models := federationtest.Models(t, a)
			x, y := models["cluster-0"], models["cluster-1"]
			shared := slices.Equal(part(a.net, x, torch.Primary), part(a.net, y, torch.Primary))
			if shared != (len(c.bodies) == 1) {
				t.Errorf("%s, %d encoders: one primary encoder: %t", c.name, encoders, shared)
			}
			if slices.Equal(part(a.net, x, torch.Head), part(a.net, y, torch.Head)) {
				t.Errorf("%s, %d encoders: the clusters have one head", c.name, encoders)
			}
		}
	}
}

// TestBodiesStay checks that a cluster keeps its body when clusters are founded and dissolved, and that a new cluster starts with
// the encoder of the body that it joins.
func TestBodiesStay(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), newFedDAG(StarVariant)
	t.Cleanup(a.Close)
	a.Body = BodyAll
	for _, i := range []int{1, 3, 5, 7} {
		e.Clients[i].HeldOut = true
	}
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Round(e, 0, e.Present()); err != nil {
		t.Fatal(err)
	}
	before := federationtest.Models(t, a)["cluster-0"]
	if err := a.Join(e, 1, []*federation.Client{e.Clients[1], e.Clients[3]}); err != nil {
		t.Fatal(err)
	}
	if !equalClusters(a.Clusters(), [][]int{{0, 2, 4, 6}, {1, 3}}) || !equalClusters(a.bodies, [][]int{{0, 1}}) {
		t.Fatalf("clusters %v, bodies %v", a.Clusters(), a.bodies)
	}
	founded := federationtest.Models(t, a)["cluster-1"]
	if !slices.Equal(part(a.net, founded, torch.Primary), part(a.net, before, torch.Primary)) {
		t.Error("the new cluster does not begin with the encoder of its body")
	}
	if err := a.Leave(e, 2, []*federation.Client{e.Clients[1], e.Clients[3]}); err != nil {
		t.Fatal(err)
	}
	if !equalClusters(a.bodies, [][]int{{0}}) {
		t.Errorf("bodies %v after a cluster was dissolved, want only cluster 0", a.bodies)
	}
}

// TestBodiesOfClustersWithTheSameClasses checks which clusters hold the same classes, whatever finds the clusters.
func TestBodiesOfClustersWithTheSameClasses(t *testing.T) {
	for _, c := range []struct {
		name   string
		counts [][]int // number of images of each class, by client
		bodies [][]int
	}{
		{"all classes", [][]int{{5, 40, 5}, {40, 5, 5}, {20, 20, 20}, {1, 1, 40}}, [][]int{{0, 1}}},
		{"no class in common", [][]int{{50, 0, 0}, {0, 30, 20}, {20, 0, 0}, {0, 20, 30}}, [][]int{{0}, {1}}},
		{"one of two classes in common", [][]int{{30, 30, 0}, {0, 30, 30}, {30, 30, 0}, {0, 30, 30}}, [][]int{{0}, {1}}},
		{"few images of another class", [][]int{{30, 30, 1}, {30, 30, 0}, {30, 30, 1}, {30, 30, 0}}, [][]int{{0, 1}}},
		{"stray images of all classes", [][]int{{1, 1, 200}, {200, 1, 1}, {1, 1, 200}, {200, 1, 1}}, [][]int{{0}, {1}}},
	} {
		a := newFedDAG(FullVariant)
		sketches := make(similarity.Vectors, len(c.counts))
		for i := range sketches {
			sketches[i].Counts = c.counts[i]
		}
		if got := a.joinBodies(nil, [][]int{{0, 2}, {1, 3}}, sketches, nil); !equalClusters(got, c.bodies) {
			t.Errorf("%s: bodies %v, want %v", c.name, got, c.bodies)
		}
	}
}
