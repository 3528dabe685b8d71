package similarity

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
)

// TestHeldAngles checks that the stored angles between holders give the whole matrix: 0 if neither client holds the class, and 90
// (180) if only one does.
func TestHeldAngles(t *testing.T) {
	u, v := mat.NewDense(2, 1, []float64{1, 0}), mat.NewDense(2, 1, []float64{0.6, -0.8})
	for rules, missing := range map[string]float64{"paper": 90, "prototype": 180} {
		o := DefaultOptions()
		o.Rules = rules
		angles, err := ClassAngles([][]*mat.Dense{{nil}, {u}, {nil}, {v}, {u}}, o)
		if err != nil {
			t.Fatal(err)
		}
		x := math.Acos(0.6) / degree
		want := [5][5]float64{
			{0, missing, 0, missing, missing},
			{missing, 0, missing, x, 0},
			{0, missing, 0, missing, missing},
			{missing, x, missing, 0, x},
			{missing, 0, missing, x, 0},
		}
		h := angles[0]
		check := func() {
			for i := range want {
				for j, x := range want[i] {
					if got := h.At(i, j); math.Abs(got-x) > 1e-5 {
						t.Errorf("%s: clients %d and %d at %g degrees, want %g", rules, i, j, got, x)
					}
				}
			}
		}
		check()
		if len(h.wide) != 3 || h.Clients() != 5 {
			t.Errorf("%d angles stored of %d clients, want 3 of 5", len(h.wide), h.Clients())
		}
		h.narrow, h.wide = []float32{float32(h.wide[0]), float32(h.wide[1]), float32(h.wide[2])}, nil
		check()
	}
}

// TestPrincipalAngle checks the first principal angle against gonum's SVD of U'X. It is never above the smallest angle
// between two columns, and does not change when a basis is rotated within its span.
func TestPrincipalAngle(t *testing.T) {
	r := stream.New(6, "test")
	const f = 20
	o := DefaultOptions()
	o.Angle = "principal"
	random := func(p int) *mat.Dense {
		u := mat.NewDense(f, p, nil)
		for k := range u.RawMatrix().Data {
			u.RawMatrix().Data[k] = r.NormFloat64()
		}
		return orthonormal(u)
	}
	turned := func(u *mat.Dense) *mat.Dense {
		_, p := u.Dims()
		q := mat.NewDense(p, p, nil)
		for k := range q.RawMatrix().Data {
			q.RawMatrix().Data[k] = r.NormFloat64()
		}
		var v mat.Dense
		v.Mul(u, orthonormal(q))
		return &v
	}
	for p := 1; p <= 6; p++ {
		for q := 1; q <= 6; q++ {
			u, x := random(p), random(q)
			var m mat.Dense
			m.Mul(u.T(), x)
			var svd mat.SVD
			if !svd.Factorize(&m, mat.SVDNone) {
				t.Fatal("no SVD")
			}
			want := math.Acos(min(1, svd.Values(nil)[0])) / degree
			bases := [][]*mat.Dense{{u}, {x}, {turned(u)}, {turned(x)}}
			angles, err := ClassAngles(bases, o)
			if err != nil {
				t.Fatal(err)
			}
			pairs, _ := ClassAngles(bases[:2], DefaultOptions())
			for _, got := range []float64{angles[0].At(0, 1), angles[0].At(1, 2), angles[0].At(2, 3)} {
				if math.Abs(got-want) > 1e-9 {
					t.Errorf("%d and %d vectors: %g degrees, want %g", p, q, got, want)
				}
			}
			if pair := pairs[0].At(0, 1); want > pair+1e-9 {
				t.Errorf("%d and %d vectors: %g degrees is above the %g of two columns", p, q, want, pair)
			}
			if got := angles[0].At(0, 2); got > 1e-12 {
				t.Errorf("%d vectors: a span is at %g degrees from itself", p, got)
			}
		}
	}
	// Small angles keep their digits, also in a rotated basis.
	const small = 1e-6
	a := mat.NewDense(4, 2, []float64{1, 0, 0, 1, 0, 0, 0, 0})
	b := mat.NewDense(4, 2, []float64{math.Cos(small * degree), 0, 0, 0, math.Sin(small * degree), 0, 0, 1})
	angles, err := ClassAngles([][]*mat.Dense{{turned(a)}, {turned(b)}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if x := angles[0].At(0, 1); math.Abs(x-small) > 1e-13 {
		t.Errorf("%g degrees measured as %g", small, x)
	}
	if sigma, y, z := topSingular(mat.NewDense(2, 3, nil)); sigma != 0 || slices.Max(y) != 0 || slices.Max(z) != 0 {
		t.Errorf("nothing has singular value %g", sigma)
	}
}

// TestScoresTogether checks that one pass over A scores nested partitions like separate passes.
func TestScoresTogether(t *testing.T) {
	r := stream.New(7, "test")
	const n = 150 // three blocks of rows
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			a.SetSym(i, j, 0.01+0.99*r.Float64())
		}
	}
	o := DefaultOptions()
	choice, err := Search(a, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range choice.Candidates {
		loss, _, _, err := Loss(a, c.Clusters, o)
		if err != nil {
			t.Fatal(err)
		}
		silhouette, _ := Silhouette(a, c.Clusters)
		if math.Abs(loss-c.Loss) > 1e-12 || math.Abs(silhouette-c.Silhouette) > 1e-12 {
			t.Errorf("%d clusters: loss %g and silhouette %g, on their own %g and %g", len(c.Clusters), c.Loss, c.Silhouette, loss, silhouette)
		}
	}
	labels := agreement.Labels(choice.Candidates[9].Clusters, n)
	eachRowSums(a, labels, 10, func(i int, s []float64) {
		want := make([]float64, 10)
		for j := range n {
			want[labels[j]] += a.At(i, j)
		}
		for z := range want {
			if math.Abs(want[z]-s[z]) > 1e-12 {
				t.Errorf("client %d, cluster %d: %g, want %g", i, z, s[z], want[z])
			}
		}
	})
}

// TestProgress checks that the progress rises to its end in every step, and that its error ends the clustering.
func TestProgress(t *testing.T) {
	many, _ := synthetic(600, 4, 8, 20, 2, 1) // two blocks of rows
	stop := errors.New("enough")
	for _, method := range MethodNames {
		sketches := many
		if method == "spectral" { // the cost is cubic
			sketches = many[:100]
		}
		o := DefaultOptions()
		o.Method, o.MaxClusters = method, 6
		seen := map[string]int{}
		var order []string
		_, err := Cluster(sketches, o, func(step string, done, total int) error {
			if seen[step] == 0 {
				order = append(order, step)
			}
			if done < seen[step] || done > total {
				return fmt.Errorf("%s: %d of %d after %d", step, done, total, seen[step])
			}
			seen[step] = max(done, 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"gradient angles", "class angles", "gates", "linkage", "candidates"}
		if method == "spectral" {
			want[3] = "spectral"
		}
		if !slices.Equal(order, want) {
			t.Errorf("steps %v, want %v", order, want)
		}
		for _, step := range want {
			_, err := Cluster(sketches, o, func(s string, _, _ int) error {
				if s == step {
					return stop
				}
				return nil
			})
			if !errors.Is(err, stop) {
				t.Errorf("stopped in %s: %v", step, err)
			}
		}
	}
}

// TestBoundIsReliedOnWhereItBinds checks that the bound is used if vectors are close to a subspace, and not if they have random
// directions or if there is one vector per client. In both cases the angles must equal those of the full products.
func TestBoundIsReliedOnWhereItBinds(t *testing.T) {
	r := stream.New(8, "test")
	const n, f = 1100, 4 * projectRank
	axes := mat.NewDense(f, 6, nil)
	for k := range axes.RawMatrix().Data {
		axes.RawMatrix().Data[k] = r.NormFloat64()
	}
	for _, c := range []struct {
		name    string
		vectors int
		noise   float64
		bound   bool
	}{{"near a subspace", 5, 0.02, true}, {"anywhere", 5, 1e3, false}, {"one each", 1, 0.02, false}} {
		bases := make([][]*mat.Dense, n)
		for i := range bases {
			u, mix := mat.NewDense(f, c.vectors, nil), mat.NewDense(6, c.vectors, nil)
			for k := range mix.RawMatrix().Data {
				mix.RawMatrix().Data[k] = r.NormFloat64()
			}
			u.Mul(axes, mix)
			for k := range u.RawMatrix().Data {
				u.RawMatrix().Data[k] += c.noise * r.NormFloat64()
			}
			bases[i] = []*mat.Dense{orthonormal(u)}
		}
		size := 0
		stack, owner, err := stackBases(bases, 0, &size)
		if err != nil {
			t.Fatal(err)
		}
		p := project(stack, owner, false)
		if (p.rest != nil) != c.bound {
			t.Errorf("%s: the bound is relied on: %v, want %v", c.name, p.rest != nil, c.bound)
		}
		angles, err := ClassAngles(bases, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += 97 {
			for j := i + 1; j < n; j += 53 {
				var d mat.Dense
				d.Mul(bases[i][0].T(), bases[j][0])
				want := math.Acos(min(1, max(mat.Max(&d), -mat.Min(&d)))) / degree
				if got := angles[0].At(i, j); math.Abs(got-want) > 1e-5 {
					t.Fatalf("%s: clients %d and %d at %g degrees, want %g", c.name, i, j, got, want)
				}
			}
		}
	}
}
