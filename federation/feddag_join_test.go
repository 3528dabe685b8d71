package federation

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// held is an algorithm before round 0 in an environment where some clients are held out.
func held(t *testing.T, name string, out ...int) (*Env, *FedDAG) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, name).(*FedDAG)
	for _, i := range out {
		e.Clients[i].HeldOut = true
	}
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	return e, a
}

// The even clients are one planted group, the odd ones another: newcomers find theirs, and the others stay.
func TestNewcomersFindTheirGroup(t *testing.T) {
	for _, name := range []string{"feddag", "feddag-star", "feddag-dagger"} {
		e, a := held(t, name, 4, 7)
		if want := [][]int{{0, 2, 6}, {1, 3, 5}}; !equalClusters(a.Clusters(), want) {
			t.Fatalf("%s: clusters %v, want %v", name, a.Clusters(), want)
		}
		for _, step := range []struct {
			joins int
			want  [][]int
		}{{7, [][]int{{0, 2, 6}, {1, 3, 5, 7}}}, {4, [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}}} {
			if err := a.Join(e, 0, []*Client{e.Clients[step.joins]}); err != nil {
				t.Fatal(err)
			}
			if !equalClusters(a.Clusters(), step.want) {
				t.Errorf("%s: clusters %v after client %d came, want %v", name, a.Clusters(), step.joins, step.want)
			}
		}
	}
}

func equalClusters(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }

// A newcomer near nobody makes a cluster of its own, which starts as clusters do at the beginning.
func TestNewcomerNearNobody(t *testing.T) {
	e, a := held(t, "feddag", 1, 3, 5, 7)
	if len(a.Clusters()) != 1 {
		t.Fatalf("clusters %v of one planted group", a.Clusters())
	}
	a.roster.Threshold = 0.8 // the search of a single group cuts nowhere
	before := weights(t, a)
	if err := a.Join(e, 0, []*Client{e.Clients[5], e.Clients[1]}); err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 2, 4, 6}, {1, 5}}; !equalClusters(a.Clusters(), want) {
		x := a.roster.Proximity
		t.Fatalf("clusters %v, want %v; A of 1 and 5 is %g, of 1 and 0 %g", a.Clusters(), want, x.At(4, 5), x.At(0, 4))
	}
	if !slices.Equal(weights(t, a)["cluster-0"], before["cluster-0"]) {
		t.Error("the old cluster's model changed")
	}
	if len(a.graph[0]) != 1 || len(a.graph[1]) != 1 {
		t.Errorf("graph %v of two clusters", a.graph)
	}
	// What clustering the newcomers alone would start from.
	_, alone := held(t, "feddag", 0, 2, 3, 4, 6, 7)
	if !slices.Equal(weights(t, a)["cluster-1"], weights(t, alone)["cluster-0"]) {
		t.Error("the new cluster does not start from its members' warm-up")
	}
}

func TestJoinNeedsHeldOutClients(t *testing.T) {
	e, a := held(t, "feddag")
	if err := a.Join(e, 0, e.Clients[:1]); err == nil {
		t.Error("joining a run in which no client can come")
	}
}
