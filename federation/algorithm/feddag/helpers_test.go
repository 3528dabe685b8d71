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

// twoClusters returns FedDAG with two encoders before the first round, on two clusters that learn from each other, with all clients in every round.
// change, if not nil, changes the environment and the algorithm before Init.
func twoClusters(t *testing.T, change func(*federation.Env, *FedDAG)) (*federation.Env, *FedDAG) {
	t.Helper()
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag").(*FedDAG)
	a.ClustersBy, a.Clustering.Choose = ClustersBySimilarity, "count:2"
	a.Encoders, a.Body = 2, BodyOwn
	e.Rate = 1
	if change != nil {
		change(e, a)
	}
	if err := errors.Join(a.Validate(), e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	return e, a
}

// bySimilarity is FedDAG with clusters that the paper's similarity finds.
const bySimilarity = "feddag --feddag-clustering similarity"

// twoEncoders is FedDAG whose clusters learn along the CC-graph alone.
const twoEncoders = "feddag --feddag-encoders 2 --feddag-body own"

// kept returns the roster of an algorithm whose clusters the similarity found.
func kept(a *FedDAG) *similarity.Roster { return a.roster.(*similarityRoster).Roster }

// initialized returns an algorithm after Init, in an environment in which the given clients are held out.
func initialized(t *testing.T, name string, out ...int) (*federation.Env, *FedDAG) {
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

// runScenario runs a scenario on the tiny clients for five rounds. It returns the environment, the algorithm and the result
// of each round. change, if not nil, changes the first two before the run.
func runScenario(t *testing.T, name, text string, change func(*federation.Env, *FedDAG)) (*federation.Env, *FedDAG, []federation.RoundResult) {
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

// describeMoves returns each move as client:from>to and its reason.
func describeMoves(moves []federation.Move) (all []string) {
	for _, m := range moves {
		all = append(all, fmt.Sprintf("%d:%d>%d %s", m.Client, m.From, m.To, m.Why))
	}
	return all
}

// wantMoves checks the moves of each round except the first, whose moves include the clustering. want is indexed by round.
func wantMoves(t *testing.T, rounds []federation.RoundResult, want map[int][]string) {
	t.Helper()
	for _, r := range rounds[1:] {
		if got := describeMoves(r.Moves); !slices.Equal(got, want[r.Round]) {
			t.Errorf("round %d: moves %q, want %q", r.Round, got, want[r.Round])
		}
	}
}

// equalClusters reports whether two clusterings have the same clusters with the same numbers.
func equalClusters(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }
