package feddag

import (
	"testing"

	"feddag/federation"
)

// TestCheck checks that a check reassigns only the clients whose histogram moved by more than the bound. Between
// the shift and the check a client keeps its old model.
func TestCheck(t *testing.T) {
	text := `{"version": 2, "reserve": 0.4, "check_every": 2, "events": [
		{"round": 2, "shift": 4, "labels": [2, 3]},
		{"round": 4, "shift": 0, "labels": [0, 1]}
	]}`
	_, a, rounds := runScenario(t, bySimilarity, text, nil)
	wantMoves(t, rounds, map[int][]string{
		1: {"4:0>0 shift"},
		2: {"4:0>1 check"},
		3: {"0:0>0 shift"}, // to the same classes, which is within the bound
	})
	if want := [][]int{{0, 2, 6}, {1, 3, 4, 5, 7}}; !equalClusters(a.Clusters(), want) {
		t.Errorf("clusters %v, want %v", a.Clusters(), want)
	}
	moves := func(factor float64) int {
		e, _, rounds := runScenario(t, bySimilarity, text, func(_ *federation.Env, a *FedDAG) { a.ShiftFactor = factor })
		if e.Ledger.Total.Up["counts"] == 0 {
			t.Error("no client sent counts")
		}
		return len(rounds[2].Moves)
	}
	// Client 4 changes from halves of classes 0 and 1 to halves of classes 2 and 3. The mean sample moves by 2 classes, so W1 is
	// 2n, and the bound is factor n / 4.
	if below, above := moves(7.9), moves(8.1); below != 1 || above != 0 {
		t.Errorf("%d moves with the bound just below W1, %d just above", below, above)
	}
}

// TestDriftAddsUp checks that a slow drift accumulates to a shift, because a client's histogram is compared with the histogram at
// its last assignment.
func TestDriftAddsUp(t *testing.T) {
	_, _, rounds := runScenario(t, bySimilarity, `{"version": 2, "reserve": 0.4, "check_every": 1, "events": [
		{"round": 2, "shift": 4, "labels": [2, 3], "share": 0.34},
		{"round": 4, "shift": 4, "labels": [2, 3], "share": 0.5}
	]}`, func(_ *federation.Env, a *FedDAG) {
		a.ShiftFactor = 3.2 // Each step moves the mean sample by about 0.6 of a class; the bound is 0.8.
	})
	// A client with half of each group's classes is not close to either group.
	wantMoves(t, rounds, map[int][]string{1: {"4:0>0 shift"}, 3: {"4:0>0 shift", "4:0>2 check"}})
}

// TestEveryoneShifts checks that the clusters are searched for again if all clients have shifted, because no client is left to
// compare with.
func TestEveryoneShifts(t *testing.T) {
	_, a, rounds := runScenario(t, bySimilarity, `{"version": 2, "check_every": 2, "events": [
		{"round": 3, "swap": [0, 1]}, {"round": 3, "swap": [2, 3]}, {"round": 3, "swap": [4, 5]}, {"round": 3, "swap": [6, 7]}
	]}`, nil)
	if want := [][]int{{1, 3, 5, 7}, {0, 2, 4, 6}}; !equalClusters(a.Clusters(), want) && !equalClusters(a.Clusters(), [][]int{want[1], want[0]}) {
		t.Errorf("clusters %v", a.Clusters())
	}
	if got := describeMoves(rounds[2].Moves); len(got) < 8+8 {
		t.Errorf("moves %q", got)
	}
}
