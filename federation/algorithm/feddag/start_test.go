package feddag

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestWarmHeadStartsAtTheSingleEncoder checks that a cluster's model with the warm head has the same predictions as the mean of
// the models with one encoder after the warm-up.
func TestWarmHeadStartsAtTheSingleEncoder(t *testing.T) {
	e, dual := twoClusters(t, nil)
	_, copied := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.HeadInit, a.SecondaryInit = HeadInitBoth, SecondaryInitPrimary })
	_, star := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.Variant = StarVariant })
	dualScores, err := e.Evaluate(dual, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	copiedScores, err := e.Evaluate(copied, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	starScores, err := e.Evaluate(star, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(dualScores, starScores) || !slices.Equal(copiedScores, starScores) {
		t.Errorf("scores %v, with a copied secondary %v, of one encoder %v", dualScores, copiedScores, starScores)
	}
}

// TestGlobalSecondary checks that the global secondary encoder is the n_i-weighted mean of all clients' encoders after the
// warm-up, the same in every cluster.
func TestGlobalSecondary(t *testing.T) {
	e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.SecondaryInit = SecondaryInitGlobal })
	primary, secondary := a.net.Range(torch.Primary), a.net.Range(torch.Secondary)
	want, total := make([]float64, primary.Len()), 0.
	for z, members := range a.clusters { // A cluster's primary encoder is the mean over its clients (eq. 22).
		n := 0.
		for _, i := range members {
			n += float64(e.Clients[i].Size())
		}
		for k, x := range federationtest.Models(t, a)[clusterName(z)][primary.Begin:primary.End] {
			want[k] += n * float64(x)
		}
		total += n
	}
	for name, x := range federationtest.Models(t, a) {
		for k, got := range x[secondary.Begin:secondary.End] {
			if math.Abs(float64(got)-want[k]/total) > 1e-6 {
				t.Fatalf("%s: weight %d of the secondary is %g, want %g", name, k, got, want[k]/total)
			}
		}
	}
}
