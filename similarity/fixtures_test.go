package similarity

import (
	"encoding/json"
	"feddag/similarity/agreement"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// fixtures are the results of SciPy and scikit-learn that testdata/make_fixtures.py wrote.
type fixtures struct {
	Linkages []struct {
		N      int
		Upper  []float64
		Method string
		Z      [][4]float64
		Cuts   []float64
		Labels [][]int
	}
	Principal []struct {
		Images [][]int
		P      int
		U      [][]float64
	}
	Validity []struct {
		A, B                         []int
		Upper                        []float64
		ARI, NMI, Purity, Silhouette float64
	}
	Spectral []struct {
		Upper  []float64
		K      int
		Labels []int
	}
}

func readFixtures(t *testing.T) (f fixtures) {
	t.Helper()
	text, err := os.ReadFile("testdata/fixtures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// symmetric returns the symmetric matrix of n rows with the given strict upper triangle, row by row.
func symmetric(n int, upper []float64) *mat.SymDense {
	m := mat.NewSymDense(n, nil)
	k := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			m.SetSym(i, j, upper[k])
			k++
		}
	}
	return m
}

func TestLinkagesAgreeWithScipy(t *testing.T) {
	for _, f := range readFixtures(t).Linkages {
		tree, err := Agglomerate(symmetric(f.N, f.Upper), f.Method)
		if err != nil {
			t.Fatal(err)
		}
		for m, want := range f.Z {
			got := tree.Merges[m]
			if got.A != int(want[0]) || got.B != int(want[1]) || math.Abs(got.Height-want[2]) > 1e-12 || got.Size != int(want[3]) {
				t.Errorf("%s of %d: merge %d is %+v, scipy's %v", f.Method, f.N, m, got, want)
				break
			}
		}
		for k, cut := range f.Cuts {
			got, want := tree.Cut(cut+1e-12), groupByLabel(f.Labels[k])
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%s of %d, cut at %g: %v, scipy's %v", f.Method, f.N, cut, got, want)
			}
		}
	}
}

func TestPrincipalVectorsAgreeWithSVD(t *testing.T) {
	for _, f := range readFixtures(t).Principal {
		images := make([][]byte, len(f.Images))
		for i, image := range f.Images {
			for _, pixel := range image {
				images[i] = append(images[i], byte(pixel))
			}
		}
		u, err := PrincipalVectors(images, f.P)
		if err != nil {
			t.Fatal(err)
		}
		rows, p := u.Dims()
		if rows != len(f.U) || p != f.P {
			t.Fatalf("%d x %d, want %d x %d", rows, p, len(f.U), f.P)
		}
		for k := range p {
			dot, most := 0.0, 0.0
			for r := range rows {
				dot += u.At(r, k) * f.U[r][k]
				if math.Abs(u.At(r, k)) > math.Abs(most) {
					most = u.At(r, k)
				}
			}
			if most <= 0 {
				t.Errorf("vector %d: its largest entry is %g, want it positive", k, most)
			}
			for r := range rows {
				if d := math.Abs(u.At(r, k) - math.Copysign(1, dot)*f.U[r][k]); d > 1e-8 {
					t.Errorf("%d images of %d: vector %d differs by %g from the SVD's", len(images), rows, k, d)
					break
				}
			}
		}
	}
}

func TestValidityAgreesWithScikitLearn(t *testing.T) {
	for _, f := range readFixtures(t).Validity {
		ari, _ := agreement.AdjustedRandIndex(f.A, f.B)
		nmi, _ := agreement.NormalisedMutualInformation(f.A, f.B)
		purity, _ := agreement.Purity(f.A, f.B)
		silhouette, err := Silhouette(symmetric(len(f.A), f.Upper), groupByLabel(f.A))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			name      string
			got, want float64
		}{{"ARI", ari, f.ARI}, {"NMI", nmi, f.NMI}, {"purity", purity, f.Purity}, {"silhouette", silhouette, f.Silhouette}} {
			if math.Abs(v.got-v.want) > 1e-12 {
				t.Errorf("%s %.15f, scikit-learn's is %.15f", v.name, v.got, v.want)
			}
		}
	}
}

func TestSpectralAgreesWithScikitLearn(t *testing.T) {
	for _, f := range readFixtures(t).Spectral {
		for _, scaling := range ScalingNames {
			o := DefaultOptions()
			o.Method, o.MaxClusters, o.Scaling = "spectral", 6, scaling
			choice, err := Search(symmetric(len(f.Labels), f.Upper), o)
			if err != nil {
				t.Fatal(err)
			}
			if want := groupByLabel(f.Labels); !slices.EqualFunc(choice.Clusters, want, slices.Equal) {
				t.Errorf("%s scaling, %d groups: %v, scikit-learn's %v", scaling, f.K, choice.Clusters, want)
			}
		}
	}
}

// entropyOf returns the mean entropy of eq. 8 at the gates w, and its slope if that is not nil, in one process.
func entropyOf(t *testing.T, g, v *mat.SymDense, w, slope []float64) float64 {
	t.Helper()
	e, err := (&scaledAngles{triangleOf(g), triangleOf(v), newBands(nil, len(w))}).entropy(w, slope)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// network returns the gate network for G^ and V^.
func network(t *testing.T, g, v *mat.SymDense, seed uint64) *mlp {
	t.Helper()
	m, err := newMLP(&scaledAngles{triangleOf(g), triangleOf(v), newBands(nil, g.SymmetricDim())}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
