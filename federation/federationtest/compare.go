package federationtest

import (
	"maps"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/similarity/agreement"
)

// EqualModels reports whether two results of [Models] have the same names and equal weights.
func EqualModels(a, b map[string][]float32) bool {
	return maps.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// EqualResults reports whether two results have equal scores (see [EqualScores]) and their clients predict with the same models.
func EqualResults(a, b *federation.Result) bool {
	uses := func(x, y federation.Use) bool {
		return slices.Equal(x.Models, y.Models) && slices.Equal(x.Weights, y.Weights)
	}
	return EqualScores(a, b) && slices.EqualFunc(a.Uses, b.Uses, uses)
}

// EqualScores reports whether two results have the same number of rounds and the same last and best scores.
func EqualScores(a, b *federation.Result) bool {
	same := func(x, y federation.PrePost) bool {
		return SameScore(x.Pre, y.Pre) && SameScore(x.Post, y.Post)
	}
	return a.Rounds == b.Rounds && slices.EqualFunc(a.Last, b.Last, same) && slices.EqualFunc(a.Best, b.Best, same)
}

// SameScore reports whether two scores are equal. Scores that are NaN count as equal.
func SameScore(a, b federation.Score) bool {
	return a == b || math.IsNaN(a.Balanced) && math.IsNaN(b.Balanced)
}

// ARI returns the adjusted Rand index of an algorithm's clusters and the true groups of their clients. The algorithm must be a
// [federation.Clustered].
func ARI(t *testing.T, e *federation.Env, a federation.Algorithm) float64 {
	t.Helper()
	var found, groups []int
	for z, members := range a.(federation.Clustered).Clusters() {
		for _, i := range members {
			found, groups = append(found, z), append(groups, e.Clients[i].Group)
		}
	}
	x, err := agreement.AdjustedRandIndex(found, groups)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// FindsNoGroups checks a known limit of a method: in a [TinyEnv], which change modifies, its clusters differ from the true groups
// (adjusted Rand index at most 0.5), for the given reason. If a change of the method overcomes the limit, the test fails, and the
// text about the limit must change too.
func FindsNoGroups(t *testing.T, name, why string, change func(*federation.Env, federation.Algorithm)) {
	t.Helper()
	e, a := TinyEnv(t, 2), Algorithm(t, name)
	change(e, a)
	MustRun(t, e, a, federation.RunOptions{})
	if x := ARI(t, e, a); x > 0.5 {
		t.Errorf("adjusted Rand index %.3f although %s: %v", x, why, a.(federation.Clustered).Clusters())
	}
}
