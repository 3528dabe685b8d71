package pacfl

import (
	"context"
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"

	"gonum.org/v1/gonum/mat"
)

// TestPACFLAngles checks that A is symmetric with a zero diagonal, zero for identical data, independent of the sign of a
// vector, and permuted with the clients.
func TestPACFLAngles(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "pacfl").(*PACFL)
	e.Clients[6].Train = e.Clients[4].Train
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	angles, _, err := a.angles(e, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if angles.At(i, i) != 0 {
			t.Errorf("A[%d][%d] is %g", i, i, angles.At(i, i))
		}
		for j := range i {
			if x := angles.At(i, j); x < 0 || x > 90 || x == 0 && (i != 6 || j != 4) {
				t.Errorf("A[%d][%d] is %g", i, j, x)
			}
		}
	}
	if x := angles.At(6, 4); x > 1e-5 {
		t.Errorf("identical data are at %g degrees", x)
	}
	swapped := append([]*federation.Client{e.Clients[3]}, e.Clients[1], e.Clients[2], e.Clients[0])
	again, _, err := a.angles(e, swapped)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		for j := range i {
			want := angles.At(swapped[i].ID, swapped[j].ID)
			if math.Abs(again.At(i, j)-want) > 1e-9 {
				t.Errorf("clients in another order: A[%d][%d] is %g, was %g", i, j, again.At(i, j), want)
			}
		}
	}
}

// TestSideBySide checks that bases are joined in order and missing ones are skipped.
func TestSideBySide(t *testing.T) {
	u := sideBySide([]*mat.Dense{nil, mat.NewDense(2, 1, []float64{1, 2}), nil, mat.NewDense(2, 2, []float64{3, 4, 5, 6})})
	if !mat.Equal(u, mat.NewDense(2, 3, []float64{1, 3, 4, 2, 5, 6})) {
		t.Errorf("%v", mat.Formatted(u))
	}
}

// TestPACFLNewcomers checks that a newcomer joins the cluster of similar clients, and that one which is similar to no client
// starts a cluster of its own.
func TestPACFLNewcomers(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "pacfl").(*PACFL)
	a.Choose = "count:2"
	for _, i := range []int{4, 5} {
		e.Clients[i].HeldOut = true
	}
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if err := a.Join(e, e.Rounds, []*federation.Client{e.Clients[5], e.Clients[4]}); err != nil {
		t.Fatal(err)
	}
	if x := federationtest.ARI(t, e, a); x != 1 || len(a.States) != 2 {
		t.Errorf("%d models, clusters %v", len(a.States), a.Clusters())
	}
	a.threshold = 0 // now nobody is like anybody
	a.Of[4] = -1
	if err := a.Join(e, e.Rounds, []*federation.Client{e.Clients[4]}); err != nil {
		t.Fatal(err)
	}
	if a.Of[4] != 2 || len(a.States) != 3 {
		t.Errorf("a client unlike all others is in cluster %d of %d", a.Of[4], len(a.States))
	}
}
