package feddag

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestBodiesOfClustersThatSeeLikeImages checks that two clusters that name the same images differently train one encoder and a
// head each, and that clusters of other images each have their own.
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
		for _, variant := range []string{StarVariant, FullVariant} {
			e, a := federationtest.TinyEnv(t, 2), newFedDAG(variant)
			t.Cleanup(a.Close)
			c.change(e)
			a.Body = c.body
			federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "feddag"})
			if !equalClusters(a.Clusters(), [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}) || !equalClusters(a.bodies, c.bodies) {
				t.Fatalf("%s, %s: clusters %v, bodies %v, want %v", c.name, variant, a.Clusters(), a.bodies, c.bodies)
			}
			models := federationtest.Models(t, a)
			x, y := models["cluster-0"], models["cluster-1"]
			shared := slices.Equal(part(a.net, x, torch.Primary), part(a.net, y, torch.Primary))
			if shared != (len(c.bodies) == 1) {
				t.Errorf("%s, %s: one primary encoder: %t", c.name, variant, shared)
			}
			if slices.Equal(part(a.net, x, torch.Head), part(a.net, y, torch.Head)) {
				t.Errorf("%s, %s: the clusters have one head", c.name, variant)
			}
		}
	}
}

// TestBodiesStay checks that a cluster keeps its body when clusters are founded and dissolved, and that a new cluster begins
// with the encoder of the body that it joins.
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
		t.Errorf("bodies %v after a cluster was dissolved, want cluster 0 alone", a.bodies)
	}
}

// TestBodiesNeedTheTests checks that bodies of clusters with like images are refused where no test compares the images.
func TestBodiesNeedTheTests(t *testing.T) {
	a := newFedDAG(FullVariant)
	a.Body, a.ClustersBy = BodyAlike, ClustersBySimilarity
	if err := a.Validate(); err == nil || !strings.Contains(err.Error(), "--feddag-body alike") {
		t.Errorf("the error is %v", err)
	}
	a.Body = BodyAll
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
}
