package fedgwc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"feddag/federation/federationtest"
	"feddag/internal/stream"
	"feddag/similarity"
	"feddag/similarity/agreement"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// TestFedGWCRewards checks that the weights sum to 1, that equal losses give equal weights, and values by hand: the losses 0
// and 2 of one client each have mean 1 and variance 1, so both rewards are exp(-1/2).
func TestFedGWCRewards(t *testing.T) {
	for _, c := range []struct {
		losses  [][]float64
		n, want []float64
	}{
		{[][]float64{{1, 2}, {1, 2}, {1, 2}, {1, 2}}, []float64{1, 5, 2, 9}, []float64{.25, .25, .25, .25}},
		{[][]float64{{0}, {2}}, []float64{1, 1}, []float64{.5, .5}},
		// Mean 3/4, variance 3/4 - 9/16 = 3/16: exponents -(9/16)/(3/8) = -3/2 and -(1/16)/(3/8) = -1/6.
		{[][]float64{{0}, {1}}, []float64{1, 3}, []float64{
			math.Exp(-1.5) / (math.Exp(-1.5) + math.Exp(-1./6)), math.Exp(-1./6) / (math.Exp(-1.5) + math.Exp(-1./6)),
		}},
	} {
		got := rewards(c.losses, c.n)
		if !floats.EqualApprox(got, c.want, 1e-6) || math.Abs(floats.Sum(got)-1) > 1e-12 {
			t.Errorf("losses %v: weights %v, want %v", c.losses, got, c.want)
		}
	}
}

// TestFedGWCUpdateByHand checks one round of four clients of which two are sampled: W starts at 1/16, and α = 1/2.
func TestFedGWCUpdateByHand(t *testing.T) {
	g := newInteractions([]int{3, 5, 7, 9})
	g.update([]int{1, 2}, []float64{.25, .75}, 0)
	row := func(x float64) []float64 { return []float64{1. / 16, x, x, 1. / 16} }
	low, high := .5/16+.125, .5/16+.375
	for i, want := range [][]float64{slices.Repeat([]float64{1. / 16}, 4), row(low), row(high), slices.Repeat([]float64{1. / 16}, 4)} {
		if !floats.EqualApprox(g.W[i], want, 1e-15) {
			t.Errorf("row %d: %v, want %v", i, g.W[i], want)
		}
	}
	first, second := low-1./16, high-1./16
	if want := .5 + .5*(2*first*first+2*second*second)/4; math.Abs(g.E-want) > 1e-15 {
		t.Errorf("error %g, want %g", g.E, want)
	}
	if g.Patience != 0 {
		t.Errorf("patience %d with ε = 0", g.Patience)
	}
	g.update([]int{1, 2}, []float64{.25, .75}, 16)
	if g.Patience != 1 {
		t.Errorf("patience %d after an error below ε", g.Patience)
	}
}

// TestFedGWCRowsAndColumns checks two groups with losses of 0.1 and 1: the rows of W show which client is in which group, the
// columns do not, and the entries of W stay in 0..1.
func TestFedGWCRowsAndColumns(t *testing.T) {
	const n, m = 100, 20
	random := rand.New(rand.NewPCG(3, 4))
	all, groups := make([]int, n), make([]int, n)
	for i := range n {
		all[i] = i
		if i < 30 {
			groups[i] = 1
		}
	}
	g := newInteractions(all)
	for range 200 {
		places := random.Perm(n)[:m]
		slices.Sort(places)
		var losses [][]float64
		for _, i := range places {
			l := make([]float64, 10)
			for s := range l {
				l[s] = 0.1 + 0.9*float64(groups[i]) + 0.05*random.NormFloat64()
			}
			losses = append(losses, l)
		}
		g.update(places, rewards(losses, slices.Repeat([]float64{1}, m)), 0)
	}
	for _, row := range g.W {
		if slices.Min(row) < 0 || slices.Max(row) > 1 {
			t.Fatalf("weights from %g to %g", slices.Min(row), slices.Max(row))
		}
	}
	for columns, low := range map[bool]float64{false: 1, true: -0.2} {
		vectors, ok := embedding(g.affinity(0.1, columns))
		if !ok {
			t.Fatal("no embedding")
		}
		labels := similarity.KMeans(mat.DenseCopyOf(vectors.Slice(0, n, 0, 2)), 2, stream.New(1, "test"))
		x, err := agreement.AdjustedRandIndex(labels, groups)
		if err != nil {
			t.Fatal(err)
		}
		if x < low || columns && x > 0.2 {
			t.Errorf("columns %v: adjusted Rand index %.3f", columns, x)
		}
	}
}

// TestDaviesBouldin checks the score by hand.
func TestDaviesBouldin(t *testing.T) {
	// Two pairs on a line: spread 1 each, centres 10 apart.
	rows := mat.NewDense(4, 1, []float64{-1, 1, 9, 11})
	if x := daviesBouldin(rows, []int{0, 0, 1, 1}, 2); math.Abs(x-0.2) > 1e-12 {
		t.Errorf("score %g, want 0.2", x)
	}
	if x := daviesBouldin(rows, []int{0, 0, 0, 0}, 2); !math.IsInf(x, 1) {
		t.Errorf("an empty cluster scores %g", x)
	}
}

// TestFedGWCSplit checks that a split partitions the members, that W is divided with them, and that clusters of fewer than
// twice a sample are not split.
func TestFedGWCSplit(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "fedgwc").(*FedGWC)
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	g := a.interactions[0]
	for i, row := range g.W {
		for j := range row {
			row[j] = []float64{.1, .9}[i%2] + .001*float64(j)
		}
	}
	a.split(0, 4)
	if x := federationtest.ARI(t, e, a); x != 1 || len(a.States) != 2 {
		t.Fatalf("clusters %v", a.Clusters())
	}
	for z, g := range a.interactions {
		if !slices.Equal(g.Members, a.Clusters()[z]) || len(g.W) != 4 || len(g.W[0]) != 4 || g.E != 1 || g.Patience != 0 {
			t.Errorf("cluster %d: %+v", z, g)
		}
		if i, j := g.Members[1], g.Members[3]; math.Abs(g.W[1][3]-([]float64{.1, .9}[i%2]+.001*float64(j))) > 1e-12 {
			t.Errorf("cluster %d: W has entries of other clients", z)
		}
	}
	a.split(0, 4) // into at most 4/4 = 1 part
	if len(a.States) != 2 || a.interactions[0].E != 1 {
		t.Errorf("a cluster of the sample's size was split")
	}
}
