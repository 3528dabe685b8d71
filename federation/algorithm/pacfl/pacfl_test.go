package pacfl

import (
	"context"
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"

	"gonum.org/v1/gonum/mat"
)

// TestPACFLAngles checks for both distances that A is symmetric with a zero diagonal, that it is zero for identical data, and
// that it is permuted with the clients.
func TestPACFLAngles(t *testing.T) {
	for _, angle := range []string{"minimum", "trace"} {
		t.Run(angle, func(t *testing.T) { testAngles(t, angle) })
	}
}

func testAngles(t *testing.T, angle string) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "pacfl").(*PACFL)
	a.Angle = angle
	most := 90. // degrees
	if angle == "trace" {
		most *= 6 // number of pairs of three vectors of each of two labels
	}
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
			if x := angles.At(i, j); x < 0 || x > most || x == 0 && (i != 6 || j != 4) {
				t.Errorf("A[%d][%d] is %g", i, j, x)
			}
		}
	}
	if x := angles.At(6, 4); x > 1e-4 {
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

// TestMatchedAngles checks the sum by hand: among the angles 10, 10, 40 and 60 degrees the first 10 is matched, and the remaining
// row and column have the angle 60. The sign of a vector does not matter, and the sum of a client with half as many vectors is
// scaled as if it had all of them.
func TestMatchedAngles(t *testing.T) {
	unit := func(degrees ...float64) *mat.Dense { // columns in the plane
		m := mat.NewDense(2, len(degrees), nil)
		for k, d := range degrees {
			m.Set(0, k, math.Cos(d*math.Pi/180))
			m.Set(1, k, math.Sin(d*math.Pi/180))
		}
		return m
	}
	u, v := unit(0, 50), unit(10, -10) // angles: 10 and 10 of column 0, 40 and 60 of column 1
	for _, c := range []struct {
		u, v *mat.Dense
		want float64
	}{
		{u, v, 70},         // the first of the two angles of 10, then 60
		{v, u, 70},         // and the other way round
		{u, unit(10), 20},  // 10, twice
		{u, unit(190), 20}, // a vector's sign
		{u, u, 0},
	} {
		if got := matchedAngles(c.u, c.v); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%v and %v: %g degrees, want %g", mat.Formatted(c.u), mat.Formatted(c.v), got, c.want)
		}
	}
	e := federationtest.TinyEnv(t, 2)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	sums, err := traces(e, []*mat.Dense{u, nil, v})
	if err != nil {
		t.Fatal(err)
	}
	if sums.At(0, 1) != 0 || math.Abs(sums.At(0, 2)-70) > 1e-5 {
		t.Errorf("%v", mat.Formatted(sums))
	}
}

// TestSideBySide checks that bases are joined in order and missing ones are skipped.
func TestSideBySide(t *testing.T) {
	u := sideBySide([]*mat.Dense{nil, mat.NewDense(2, 1, []float64{1, 2}), nil, mat.NewDense(2, 2, []float64{3, 4, 5, 6})})
	if !mat.Equal(u, mat.NewDense(2, 3, []float64{1, 3, 4, 2, 5, 6})) {
		t.Errorf("%v", mat.Formatted(u))
	}
}

// TestPACFLNewcomers checks that a newcomer joins the cluster of similar clients, and that a newcomer which is similar to no
// client starts a new cluster.
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
	a.threshold = 0 // now no two clients are similar
	a.Of[4] = -1
	if err := a.Join(e, e.Rounds, []*federation.Client{e.Clients[4]}); err != nil {
		t.Fatal(err)
	}
	if a.Of[4] != 2 || len(a.States) != 3 {
		t.Errorf("a client unlike all others is in cluster %d of %d", a.Of[4], len(a.States))
	}
}
