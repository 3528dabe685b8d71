package feddag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/similarity"
)

// TestSearchAfterNewcomers checks that the search runs again once the given number of newcomers have joined, and not before, and
// that clusters which are found again keep their numbers.
func TestSearchAfterNewcomers(t *testing.T) {
	var searched []int
	text := `{"version": 2, "search_after": 3, "events": [{"round": 2, "join": [4, 7]}, {"round": 3, "join": 3}, {"round": 4, "join": 6}]}`
	recorder := &searchRecorder{}
	_, a, rounds := runScenario(t, bySimilarity, text, func(e *federation.Env, _ *FedDAG) { e.Observers = append(e.Observers, recorder) })
	for k, at := range recorder.rounds {
		if k > 0 {
			searched = append(searched, at)
		}
	}
	if !slices.Equal(searched, []int{2}) {
		t.Errorf("searches before rounds %v, want 2", searched)
	}
	wantMoves(t, rounds, map[int][]string{1: {"4:-1>0 join", "7:-1>1 join"}, 2: {"3:-1>1 join"}, 3: {"6:-1>0 join"}})
	if want := [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}; !equalClusters(a.Clusters(), want) {
		t.Errorf("clusters %v, want %v", a.Clusters(), want)
	}
	if kept(a).Changes != 1 {
		t.Errorf("%d changes since the search", kept(a).Changes)
	}
}

// searchRecorder records the rounds before which there was a clustering.
type searchRecorder struct {
	federationtest.Silent
	rounds []int
	next   int
}

func (s *searchRecorder) Clustered(*similarity.Result) error {
	s.rounds = append(s.rounds, s.next)
	return nil
}

func (s *searchRecorder) Round(r federation.RoundResult) error {
	s.next = r.Round + 1
	return nil
}

// TestMatchClusters checks that a new cluster starts from the old cluster that had most of its samples, and that the largest
// successor of an old cluster keeps its number.
func TestMatchClusters(t *testing.T) {
	e, a := initialized(t, "feddag", 7)
	// Client i has 12 + i samples.
	if err := a.setClustering(8, [][]int{{0, 1, 2}, {3, 4}, {5, 6}}, [][]int{nil, nil, nil}, make([][]float64, 3)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		clusters         [][]int
		numbers, origins []int
	}{
		{[][]int{{0, 1, 2}, {3, 4}, {5, 6}}, []int{0, 1, 2}, []int{0, 1, 2}},
		{[][]int{{0, 1, 2, 3, 4, 5, 6}}, []int{0}, []int{0}},                 // 39 samples are from cluster 0, 31 from 1, 35 from 2
		{[][]int{{0}, {1, 2}, {3, 4, 5, 6}}, []int{3, 0, 2}, []int{0, 0, 2}}, // more samples are from cluster 2 than from 1
		{[][]int{{0, 5, 6}, {1, 2, 3, 4}}, []int{2, 1}, []int{2, 1}},
	} {
		numbers, origins := a.matchClusters(e, c.clusters)
		if !slices.Equal(numbers, c.numbers) || !slices.Equal(origins, c.origins) {
			t.Errorf("%v: numbers %v from %v, want %v from %v", c.clusters, numbers, origins, c.numbers, c.origins)
		}
	}
}

// TestSearchSplitsAndJoins checks that a search which splits a cluster gives its model to both halves, and that a search which
// joins all clusters leaves one model.
func TestSearchSplitsAndJoins(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, bySimilarity).(*FedDAG)
	e.Scenario = &federation.Scenario{}
	a.Clustering.Choose = "count:2"
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	before := federationtest.Models(t, a)
	a.Clustering.Choose = "count:4"
	if err := a.Search(e, 3); err != nil {
		t.Fatal(err)
	}
	after := federationtest.Models(t, a)
	if len(after) != 4 {
		t.Fatalf("%d clusters, want 4: %v", len(after), a.Clusters())
	}
	for z, members := range a.Clusters() {
		want := before[fmt.Sprintf("cluster-%d", members[0]%2)] // the clusters were the even and the odd clients
		if !slices.Equal(after[fmt.Sprintf("cluster-%d", z)], want) {
			t.Errorf("cluster %d, %v, does not start from its clients' model", z, members)
		}
	}
	a.Clustering.Choose = "count:1"
	if err := a.Search(e, 3); err != nil {
		t.Fatal(err)
	}
	if c := a.Clusters(); len(a.Models()) != 1 || len(slices.Concat(c...)) != 8 {
		t.Errorf("clusters %v, want one", c)
	}
}

// TestSearchReportsSharing checks that the result of a search names the clusters that train together by their numbers in the search,
// although the run numbers its clusters differently once some are dissolved.
func TestSearchReportsSharing(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, bySimilarity).(*FedDAG)
	e.Scenario = &federation.Scenario{}
	a.Clustering.Choose, a.Body = "count:3", BodyAll
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	var last *similarity.Result
	e.Observers = append(e.Observers, lastClustering{result: &last})
	for _, choose := range []string{"count:1", "count:2"} {
		a.Clustering.Choose = choose
		if err := a.Search(e, 3); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.Clusters()) < 4 {
		t.Fatalf("no cluster was dissolved: %v", a.Clusters())
	}
	if want := [][]int{{0, 1}}; !equalClusters(last.Sharing.Encoders, want) || len(last.Clusters) != 2 {
		t.Errorf("clusters %v of %v share an encoder, want %v", last.Sharing.Encoders, last.Clusters, want)
	}
	if !equalClusters(last.Sharing.Heads, [][]int{{0}, {1}}) {
		t.Errorf("heads %v", last.Sharing.Heads)
	}
}

// lastClustering is an observer that stores the result of the last clustering in *result.
type lastClustering struct {
	federationtest.Silent
	result **similarity.Result
}

func (l lastClustering) Clustered(r *similarity.Result) error { *l.result = r; return nil }
