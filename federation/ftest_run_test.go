package federation

import (
	"context"
	"errors"
	"feddag/similarity"
	"maps"
	"math"
	"slices"
	"testing"
)

func equalWeights(a, b map[string][]float32) bool {
	return maps.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// finished runs an algorithm and returns its weights and result.
func finished(t *testing.T, name string, workers int, change func(*Env)) (map[string][]float32, *Result) {
	t.Helper()
	e, a := tinyEnv(t, workers), algorithm(t, name)
	if change != nil {
		change(e)
	}
	r := mustRun(t, e, a, RunOptions{Algorithm: name})
	return weights(t, a), r
}

func equalResults(a, b *Result) bool {
	same := func(x, y PrePost) bool {
		return sameScore(x.Pre, y.Pre) && sameScore(x.Post, y.Post)
	}
	return a.Rounds == b.Rounds && slices.EqualFunc(a.Last, b.Last, same) && slices.EqualFunc(a.Best, b.Best, same)
}

func sameScore(a, b Score) bool {
	return a == b || math.IsNaN(a.Balanced) && math.IsNaN(b.Balanced)
}

// canceller ends the run in the middle of round 2's training.
type canceller struct {
	silent
	cancel func()
}

func (c canceller) Phase(p Progress) {
	if p.Round == 2 && p.Phase == PrimaryPhase.String() {
		c.cancel()
	}
}

// ari compares an algorithm's clusters with the true groups.
func ari(t *testing.T, e *Env, a Algorithm) float64 {
	t.Helper()
	var found, groups []int
	for z, members := range a.(Clustered).Clusters() {
		for _, i := range members {
			found, groups = append(found, z), append(groups, e.Clients[i].Group)
		}
	}
	x, err := similarity.AdjustedRandIndex(found, groups)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// initialised starts an environment and readies an algorithm in it.
func initialised(t *testing.T, e *Env, a Algorithm) error {
	t.Helper()
	if v, ok := a.(Validator); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	return errors.Join(e.Start(context.Background()), a.Init(e))
}

// findsNoGroups holds a method to a failure that is known: its clusters are not the fixture's groups, for the given reason.
func findsNoGroups(t *testing.T, name, why string, change func(*Env, Algorithm)) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, name)
	change(e, a)
	mustRun(t, e, a, RunOptions{})
	if x := ari(t, e, a); x > 0.5 {
		t.Errorf("adjusted Rand index %.3f although %s: %v", x, why, a.(Clustered).Clusters())
	}
}
