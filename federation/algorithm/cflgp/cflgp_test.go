package cflgp

import (
	"context"
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/torch"

	"gonum.org/v1/gonum/mat"
)

// TestGramFeaturesAreThoseOfTheSVD checks that the features from the Gram matrix equal those from the singular value
// decomposition up to signs, so the distances are the same.
func TestGramFeaturesAreThoseOfTheSVD(t *testing.T) {
	const n, d, k = 5, 7, 3
	columns := make([][]float32, n)
	g := mat.NewDense(d, n, nil)
	for i := range columns {
		columns[i] = make([]float32, d)
		for c := range d {
			columns[i][c] = float32(math.Sin(float64(3*i*i + 5*c + i*c)))
			g.Set(c, i, float64(columns[i][c]))
		}
	}
	features, err := leading(algorithm.Gram(columns, 2), k)
	if err != nil {
		t.Fatal(err)
	}
	var svd mat.SVD
	if !svd.Factorize(g, mat.SVDThin) {
		t.Fatal("no singular values")
	}
	var v mat.Dense
	svd.VTo(&v)
	s := svd.Values(nil)
	for i := range n {
		for j := range i {
			var got, want float64
			for c := range k {
				got += math.Pow(features.At(i, c)-features.At(j, c), 2)
				want += math.Pow(s[c]*(v.At(i, c)-v.At(j, c)), 2)
			}
			if math.Abs(got-want) > 1e-5 {
				t.Errorf("clients %d and %d: squared distance %g, want %g", i, j, got, want)
			}
		}
	}
}

// TestCFLGPProfilesGradients checks that the first profile of a model is the raw gradient (b = 1) of the mean loss over all of
// a client's samples.
func TestCFLGPProfilesGradients(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "cfl-gp").(*CFLGP)
	a.K, a.Coordinates, a.Normalise, e.Batch = 2, 1, false, 5
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	if err := a.cluster(0); err != nil {
		t.Fatal(err)
	}
	start, err := a.States[0].Floats()
	if err != nil {
		t.Fatal(err)
	}
	big := *e
	big.Batch, big.LearningRate, big.Momentum, big.WeightDecay, big.Epochs = 1000, 1, 0, 0, 1
	if err := big.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, c := range e.Clients {
		trained, err := big.LocalSGD(a.Net, []torch.Job{c.Job(a.States[0])}, 0, federation.PrimaryPhase, 7)
		if err != nil {
			t.Fatal(err)
		}
		end, err := trained[0].End.Floats()
		if err != nil {
			t.Fatal(err)
		}
		trained[0].End.Close()
		for i, g := range a.profiles[0][c.ID] {
			if math.Abs(float64(g-(start[i]-end[i]))) > 1e-6 {
				t.Fatalf("client %d: gradient %g at %d, want %g", c.ID, g, i, start[i]-end[i])
			}
		}
	}
}

// TestMatchLabelsIsBest checks that no permutation of the numbers agrees with the old numbers for more clients.
func TestMatchLabelsIsBest(t *testing.T) {
	agreement := func(labels, old, number []int) (n int) {
		for i, l := range labels {
			if number[l] == old[i] {
				n++
			}
		}
		return n
	}
	var permute func(k int, rest []int, visit func([]int))
	permute = func(k int, rest []int, visit func([]int)) {
		if k == len(rest) {
			visit(rest)
			return
		}
		for i := k; i < len(rest); i++ {
			rest[k], rest[i] = rest[i], rest[k]
			permute(k+1, rest, visit)
			rest[k], rest[i] = rest[i], rest[k]
		}
	}
	h := uint32(1)
	for range 50 {
		const k, n = 4, 12
		labels, old := make([]int, n), make([]int, n)
		for i := range n {
			h = h*1664525 + 1013904223
			labels[i], old[i] = int(h>>20)%k, int(h>>10)%k
		}
		number := matchLabels(labels, old, k)
		best := 0
		permute(0, []int{0, 1, 2, 3}, func(p []int) { best = max(best, agreement(labels, old, p)) })
		seen := map[int]bool{}
		for _, z := range number {
			seen[z] = true
		}
		if got := agreement(labels, old, number); got != best || len(seen) != k {
			t.Fatalf("labels %v, old %v: %v agrees in %d, the best in %d", labels, old, number, got, best)
		}
	}
}

// TestCFLGPNewcomers checks that a newcomer joins the cluster of the clients with similar gradients.
func TestCFLGPNewcomers(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "cfl-gp").(*CFLGP)
	a.K = 2
	for _, i := range []int{2, 7} {
		e.Clients[i].HeldOut = true
	}
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if x := federationtest.ARI(t, e, a); x != 1 {
		t.Errorf("clusters %v", a.Clusters())
	}
}
