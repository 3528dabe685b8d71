package federationtest

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/similarity"
)

func EqualModels(a, b map[string][]float32) bool {
	return maps.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// finished runs an algorithm and returns its weights and result.
func Finished(t *testing.T, name string, workers int, change func(*federation.Env)) (map[string][]float32, *federation.Result) {
	t.Helper()
	e, a := TinyEnv(t, workers), Algorithm(t, name)
	if change != nil {
		change(e)
	}
	r := MustRun(t, e, a, federation.RunOptions{Algorithm: name})
	return Models(t, a), r
}

func EqualResults(a, b *federation.Result) bool {
	same := func(x, y federation.PrePost) bool {
		return SameScore(x.Pre, y.Pre) && SameScore(x.Post, y.Post)
	}
	return a.Rounds == b.Rounds && slices.EqualFunc(a.Last, b.Last, same) && slices.EqualFunc(a.Best, b.Best, same)
}

func SameScore(a, b federation.Score) bool {
	return a == b || math.IsNaN(a.Balanced) && math.IsNaN(b.Balanced)
}

// canceller ends the run in the middle of round 2's training.
type Canceller struct {
	Silent
	Cancel func()
}

func (c Canceller) Phase(p federation.Progress) {
	if p.Round == 2 && p.Phase == federation.PrimaryPhase.String() {
		c.Cancel()
	}
}

// ari compares an algorithm's clusters with the true groups.
func ARI(t *testing.T, e *federation.Env, a federation.Algorithm) float64 {
	t.Helper()
	var found, groups []int
	for z, members := range a.(federation.Clustered).Clusters() {
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
func Initialise(t *testing.T, e *federation.Env, a federation.Algorithm) error {
	t.Helper()
	if v, ok := a.(federation.Validator); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	return errors.Join(e.Start(context.Background()), a.Init(e))
}

// findsNoGroups holds a method to a failure that is known: its clusters are not the fixture's groups, for the given reason.
func FindsNoGroups(t *testing.T, name, why string, change func(*federation.Env, federation.Algorithm)) {
	t.Helper()
	e, a := TinyEnv(t, 2), Algorithm(t, name)
	change(e, a)
	MustRun(t, e, a, federation.RunOptions{})
	if x := ARI(t, e, a); x > 0.5 {
		t.Errorf("adjusted Rand index %.3f although %s: %v", x, why, a.(federation.Clustered).Clusters())
	}
}
