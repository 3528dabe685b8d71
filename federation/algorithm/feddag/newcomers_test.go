package feddag

import (
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestNewcomersFindTheirGroup checks that newcomers join the planted group to which they belong, and that the other clients stay.
// The even clients are one group, the odd clients another.
func TestNewcomersFindTheirGroup(t *testing.T) {
	for _, name := range []string{"feddag", twoEncoders, "feddag-star", "feddag-dagger"} {
		e, a := initialized(t, name, 4, 7)
		if want := [][]int{{0, 2, 6}, {1, 3, 5}}; !equalClusters(a.Clusters(), want) {
			t.Fatalf("%s: clusters %v, want %v", name, a.Clusters(), want)
		}
		for _, step := range []struct {
			joins int
			want  [][]int
		}{{7, [][]int{{0, 2, 6}, {1, 3, 5, 7}}}, {4, [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}}} {
			if err := a.Join(e, 0, []*federation.Client{e.Clients[step.joins]}); err != nil {
				t.Fatal(err)
			}
			if !equalClusters(a.Clusters(), step.want) {
				t.Errorf("%s: clusters %v after client %d came, want %v", name, a.Clusters(), step.joins, step.want)
			}
		}
	}
}

// TestNewcomerNearNobody checks that newcomers that are not close to any client form a new cluster, which starts like the first
// clusters.
func TestNewcomerNearNobody(t *testing.T) {
	random := bySimilarity + " --feddag-secondary-init random" // then Θ2 is the same in all clusters, whenever they start
	e, a := initialized(t, random, 1, 3, 5, 7)
	if len(a.Clusters()) != 1 {
		t.Fatalf("clusters %v of one planted group", a.Clusters())
	}
	kept(a).Threshold = 0.9 // the search of a single group has no cut
	before := federationtest.Models(t, a)
	if err := a.Join(e, 0, []*federation.Client{e.Clients[5], e.Clients[1]}); err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 2, 4, 6}, {1, 5}}; !equalClusters(a.Clusters(), want) {
		x := kept(a).Proximity
		t.Fatalf("clusters %v, want %v; A of 1 and 5 is %g, of 1 and 0 %g", a.Clusters(), want, x.At(4, 5), x.At(0, 4))
	}
	if !slices.Equal(federationtest.Models(t, a)["cluster-0"], before["cluster-0"]) {
		t.Error("the old cluster's model changed")
	}
	if len(a.graph[0]) != 1 || len(a.graph[1]) != 1 {
		t.Errorf("graph %v of two clusters", a.graph)
	}
	// The models from which a clustering of the newcomers alone would start.
	_, alone := initialized(t, random, 0, 2, 3, 4, 6, 7)
	if !slices.Equal(federationtest.Models(t, a)["cluster-1"], federationtest.Models(t, alone)["cluster-0"]) {
		t.Error("the new cluster does not start from its members' warm-up")
	}
}

// TestJoinNeedsHeldOutClients checks that Join returns an error in a run that keeps no roster.
func TestJoinNeedsHeldOutClients(t *testing.T) {
	e, a := initialized(t, "feddag")
	if err := a.Join(e, 0, e.Clients[:1]); err == nil || !strings.Contains(err.Error(), "--holdout") {
		t.Errorf("Join in a run in which no client can come: error %v, want one that names --holdout", err)
	}
}

// TestLeave checks that clients that leave are not sampled, evaluated or counted any more, and that the others stay where
// they are.
func TestLeave(t *testing.T) {
	e, a, rounds := runScenario(t, "feddag", `{"version": 2, "events": [{"round": 3, "leave": [1, 4]}]}`, func(e *federation.Env, _ *FedDAG) { e.Rate = 1 })
	wantMoves(t, rounds, map[int][]string{2: {"1:1>-1 leave", "4:0>-1 leave"}})
	if want := [][]int{{0, 2, 6}, {3, 5, 7}}; !equalClusters(a.Clusters(), want) {
		t.Errorf("clusters %v, want %v", a.Clusters(), want)
	}
	if got := rounds[2].Cohort; !slices.Equal(got, []int{0, 2, 3, 5, 6, 7}) {
		t.Errorf("cohort %v", got)
	}
	if s := rounds[4].All; !math.IsNaN(s[1].Balanced) || math.IsNaN(s[2].Balanced) {
		t.Errorf("scores %v", s)
	}
	if len(e.Present()) != 6 {
		t.Errorf("%d clients are present", len(e.Present()))
	}
}
