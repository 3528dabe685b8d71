package feddag

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/similarity"
	"feddag/torch"
)

// held is an algorithm before round 0 in an environment where some clients are held out.
func held(t *testing.T, name string, out ...int) (*federation.Env, *FedDAG) {
	t.Helper()
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name).(*FedDAG)
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
			if err := a.Join(e, 0, []*federation.Client{e.Clients[step.joins]}); err != nil {
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
	random := "feddag --feddag-secondary-init random" // the same in all clusters, whenever they begin
	e, a := held(t, random, 1, 3, 5, 7)
	if len(a.Clusters()) != 1 {
		t.Fatalf("clusters %v of one planted group", a.Clusters())
	}
	a.roster.Threshold = 0.9 // the search of a single group cuts nowhere
	before := federationtest.Models(t, a)
	if err := a.Join(e, 0, []*federation.Client{e.Clients[5], e.Clients[1]}); err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 2, 4, 6}, {1, 5}}; !equalClusters(a.Clusters(), want) {
		x := a.roster.Proximity
		t.Fatalf("clusters %v, want %v; A of 1 and 5 is %g, of 1 and 0 %g", a.Clusters(), want, x.At(4, 5), x.At(0, 4))
	}
	if !slices.Equal(federationtest.Models(t, a)["cluster-0"], before["cluster-0"]) {
		t.Error("the old cluster's model changed")
	}
	if len(a.graph[0]) != 1 || len(a.graph[1]) != 1 {
		t.Errorf("graph %v of two clusters", a.graph)
	}
	// What clustering the newcomers alone would start from.
	_, alone := held(t, random, 0, 2, 3, 4, 6, 7)
	if !slices.Equal(federationtest.Models(t, a)["cluster-1"], federationtest.Models(t, alone)["cluster-0"]) {
		t.Error("the new cluster does not start from its members' warm-up")
	}
}

func TestJoinNeedsHeldOutClients(t *testing.T) {
	e, a := held(t, "feddag")
	if err := a.Join(e, 0, e.Clients[:1]); err == nil {
		t.Error("joining a run in which no client can come")
	}
}

// happens runs a scenario over the tiny clients and returns the moves, by round.
func happens(t *testing.T, name, text string, change func(*federation.Env, *FedDAG)) (*federation.Env, *FedDAG, []federation.RoundResult) {
	t.Helper()
	s, err := federation.ParseScenario([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name).(*FedDAG)
	o := &federationtest.Recorder{StopAfter: -2}
	e.Scenario, e.Observers, e.Rounds = s, []federation.Observer{o}, 5
	if change != nil {
		change(e, a)
	}
	federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
	return e, a, o.Rounds
}

// brief writes moves as client:from>to why.
func brief(moves []federation.Move) (all []string) {
	for _, m := range moves {
		all = append(all, fmt.Sprintf("%d:%d>%d %s", m.Client, m.From, m.To, m.Why))
	}
	return all
}

func wantMoves(t *testing.T, rounds []federation.RoundResult, want map[int][]string) {
	t.Helper()
	for _, r := range rounds[1:] { // the first has the clustering
		if got := brief(r.Moves); !slices.Equal(got, want[r.Round]) {
			t.Errorf("round %d: moves %q, want %q", r.Round, got, want[r.Round])
		}
	}
}

// Clients leave, and are not sampled, evaluated or counted any more; the others stay where they are.
func TestLeave(t *testing.T) {
	e, a, rounds := happens(t, "feddag", `{"events": [{"round": 2, "leave": [1, 4]}]}`, func(e *federation.Env, _ *FedDAG) { e.Rate = 1 })
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
		t.Errorf("%d clients are there", len(e.Present()))
	}
}

// A cluster that everyone leaves dissolves: out of the graph, its model handed over and freed, its number not used
// again, not even when its clients come back.
func TestClusterDissolves(t *testing.T) {
	for _, name := range []string{"feddag", "feddag-star", "feddag-dagger"} {
		kept := &keeper{weights: map[string]int{}}
		_, a, rounds := happens(t, name, `{"events": [{"round": 1, "leave": [0, 2, 4, 6]}, {"round": 3, "join": [2, 6]}]}`,
			func(e *federation.Env, _ *FedDAG) { e.Observers = append(e.Observers, kept) })
		wantMoves(t, rounds, map[int][]string{
			1: {"0:0>-1 leave", "2:0>-1 leave", "4:0>-1 leave", "6:0>-1 leave"},
			3: {"2:-1>2 join", "6:-1>2 join"},
		})
		if want := [][]int{nil, {1, 3, 5, 7}, {2, 6}}; !equalClusters(a.Clusters(), want) {
			t.Errorf("%s: clusters %v, want %v", name, a.Clusters(), want)
		}
		if a.states[0] != nil || len(a.graph[0]) > 0 || slices.Contains(slices.Concat(a.graph...), 0) {
			t.Errorf("%s: the dissolved cluster still takes part: %v, graph %v", name, a.states[0], a.graph)
		}
		for _, m := range a.Models() {
			if m.Name == "cluster-0" {
				t.Errorf("%s: the dissolved cluster has a model", name)
			}
		}
		if kept.weights["cluster-0"] != 1 || kept.weights["cluster-1"] != 1 || kept.weights["cluster-2"] != 1 {
			t.Errorf("%s: weights handed over: %v", name, kept.weights)
		}
	}
}

// keeper counts the weights that it is handed.
type keeper struct {
	federationtest.Silent
	weights map[string]int
}

func (k *keeper) Weights(name string, _ []torch.NamedTensor) error { k.weights[name]++; return nil }

// A check reassigns those whose histogram moved by more than the bound, and nobody else; between shift and check a
// client keeps its old model.
func TestCheck(t *testing.T) {
	text := `{"reserve": 0.4, "check_every": 2, "events": [
		{"round": 1, "shift": 4, "labels": [2, 3]},
		{"round": 3, "shift": 0, "labels": [0, 1]}
	]}`
	_, a, rounds := happens(t, "feddag", text, nil)
	wantMoves(t, rounds, map[int][]string{
		1: {"4:0>0 shift"},
		2: {"4:0>1 check"},
		3: {"0:0>0 shift"}, // of the same classes: no further than the bound
	})
	if want := [][]int{{0, 2, 6}, {1, 3, 4, 5, 7}}; !equalClusters(a.Clusters(), want) {
		t.Errorf("clusters %v, want %v", a.Clusters(), want)
	}
	up := func(factor float64) int {
		e, _, rounds := happens(t, "feddag", text, func(_ *federation.Env, a *FedDAG) { a.ShiftFactor = factor })
		if e.Ledger.Total.Up["counts"] == 0 {
			t.Error("nobody sent counts")
		}
		return len(rounds[2].Moves)
	}
	// Client 4 goes from halves of classes 0 and 1 to halves of 2 and 3: the mean sample moves by 2 classes, so that W1 is
	// 2n, and the bound factor n / 4.
	if below, above := up(7.9), up(8.1); below != 1 || above != 0 {
		t.Errorf("%d moves with the bound just below W1, %d just above", below, above)
	}
}

// A slow drift adds up to a shift: the histograms are compared with those that the client was assigned by.
func TestDriftAddsUp(t *testing.T) {
	_, _, rounds := happens(t, "feddag", `{"reserve": 0.4, "check_every": 1, "events": [
		{"round": 1, "shift": 4, "labels": [2, 3], "share": 0.34},
		{"round": 3, "shift": 4, "labels": [2, 3], "share": 0.5}
	]}`, func(_ *federation.Env, a *FedDAG) { a.ShiftFactor = 3.2 }) // each step moves the mean sample by some 0.6 of a class, the bound is 0.8
	wantMoves(t, rounds, map[int][]string{1: {"4:0>0 shift"}, 3: {"4:0>0 shift", "4:0>2 check"}}) // half of either group is near neither
}

// Where everyone has shifted there is nobody to compare with: the clusters are searched for again.
func TestEveryoneShifts(t *testing.T) {
	_, a, rounds := happens(t, "feddag", `{"check_every": 2, "events": [
		{"round": 2, "swap": [0, 1]}, {"round": 2, "swap": [2, 3]}, {"round": 2, "swap": [4, 5]}, {"round": 2, "swap": [6, 7]}
	]}`, nil)
	if want := [][]int{{1, 3, 5, 7}, {0, 2, 4, 6}}; !equalClusters(a.Clusters(), want) && !equalClusters(a.Clusters(), [][]int{want[1], want[0]}) {
		t.Errorf("clusters %v", a.Clusters())
	}
	if got := brief(rounds[2].Moves); len(got) < 8+8 {
		t.Errorf("moves %q", got)
	}
}

// The search runs again once so many newcomers have come, and not before; clusters that are found again keep their
// numbers and their models.
func TestSearchAfterNewcomers(t *testing.T) {
	var searched []int
	text := `{"search_after": 3, "events": [{"round": 1, "join": [4, 7]}, {"round": 2, "join": 3}, {"round": 3, "join": 6}]}`
	counter := &searches{}
	_, a, rounds := happens(t, "feddag", text, func(e *federation.Env, _ *FedDAG) { e.Observers = append(e.Observers, counter) })
	for k, at := range counter.rounds {
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
	if a.roster.Changes != 1 {
		t.Errorf("%d changes since the search", a.roster.Changes)
	}
}

// searches notes before which rounds there was a clustering.
type searches struct {
	federationtest.Silent
	rounds []int
	next   int
}

func (s *searches) Clustered(*similarity.Result) error {
	s.rounds = append(s.rounds, s.next)
	return nil
}
func (s *searches) Round(r federation.RoundResult) error { s.next = r.Round + 1; return nil }

// After a new search a cluster goes on from the model that most of its samples were under, and the largest heir of a
// cluster has its number.
func TestMatchClusters(t *testing.T) {
	e, a := held(t, "feddag", 7)
	// Samples: 12 + i. Old clusters {0, 1, 2}, {3, 4}, and {5, 6}.
	if err := a.setClustering(8, [][]int{{0, 1, 2}, {3, 4}, {5, 6}}, [][]int{nil, nil, nil}, make([][]float64, 3)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		clusters      [][]int
		numbers, from []int
	}{
		{[][]int{{0, 1, 2}, {3, 4}, {5, 6}}, []int{0, 1, 2}, []int{0, 1, 2}},
		{[][]int{{0, 1, 2, 3, 4, 5, 6}}, []int{0}, []int{0}},                 // 39 samples of 0, 31 of 1, 35 of 2
		{[][]int{{0}, {1, 2}, {3, 4, 5, 6}}, []int{3, 0, 2}, []int{0, 0, 2}}, // 2 brings more than 1
		{[][]int{{0, 5, 6}, {1, 2, 3, 4}}, []int{2, 1}, []int{2, 1}},
	} {
		numbers, from := a.matchClusters(e, c.clusters)
		if !slices.Equal(numbers, c.numbers) || !slices.Equal(from, c.from) {
			t.Errorf("%v: numbers %v from %v, want %v from %v", c.clusters, numbers, from, c.numbers, c.from)
		}
	}
}

// A search that splits a cluster gives both halves its model, and one that joins two leaves the larger's.
func TestSearchSplitsAndJoins(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag").(*FedDAG)
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
			t.Errorf("cluster %d, %v, does not go on from its clients' model", z, members)
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

// What the server needs does not outlive a run in which nothing can happen.
func TestNoRosterWithoutNeed(t *testing.T) {
	e, a := twoClusters(t, nil)
	if a.roster != nil {
		t.Error("the roster was kept")
	}
	if _, err := a.Check(e, 1); err == nil {
		t.Error("a check without a roster")
	}
	s, err := a.Save()
	if err != nil || len(s.Blobs) != 0 {
		t.Errorf("blobs %v (%v)", s.Blobs, err)
	}
}
