package fedgwc

import (
	"math/rand/v2"
	"slices"
	"testing"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
)

// weighRandomly returns the interactions of 100 clients after 150 rounds of 20, with losses that loss draws for a client.
func weighRandomly(random *rand.Rand, loss func(client int) float64) *interactions {
	const n, m = 100, 20
	all := make([]int, n)
	for i := range n {
		all[i] = i
	}
	g := newInteractions(all)
	for range 150 {
		places := random.Perm(n)[:m]
		slices.Sort(places)
		losses := make([][]float64, m)
		for k, i := range places {
			for range 7 {
				losses[k] = append(losses[k], loss(i))
			}
		}
		g.update(places, rewards(losses, slices.Repeat([]float64{1}, m)), 0)
	}
	return g
}

// TestNoStructureNoSplit checks that clients whose losses are noise are not split, and that clients of two groups with different
// losses are split into these groups. With scikit-learn's SpectralClustering, spectral_embedding and davies_bouldin_score, none
// of 20 cases of noise is split.
func TestNoStructureNoSplit(t *testing.T) {
	const most = 4
	splits := 0
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		of := func(n int) *rand.Rand { return stream.New(seed, "test", uint64(n)) }

		noise := weighRandomly(random, func(int) float64 { return random.Float64() })
		if labels, parts := findParts(noise.affinity(0.1, false), most, of); labels != nil {
			splits++
			t.Logf("seed %d: %d parts of noise", seed, parts)
		}

		groups := weighRandomly(random, func(client int) float64 {
			if client < 30 {
				return 1 + 0.1*random.NormFloat64()
			}
			return 0.1 + 0.1*random.NormFloat64()
		})
		labels, parts := findParts(groups.affinity(0.1, false), most, of)
		if parts != 2 {
			t.Errorf("seed %d: two groups gave %d parts", seed, parts)
			continue
		}
		truth := make([]int, len(labels))
		for i := range 30 {
			truth[i] = 1
		}
		if x, err := agreement.AdjustedRandIndex(labels, truth); err != nil || x < 0.9 {
			t.Errorf("seed %d: adjusted Rand index %g, %v", seed, x, err)
		}
	}
	if splits > 0 {
		t.Errorf("noise was split in %d of 20 cases", splits)
	}
}
