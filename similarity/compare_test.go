package similarity

import (
	"errors"
	"feddag/similarity/agreement"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestCompareIsSearch checks that every row of a comparison is the result of Search for this method and rule.
func TestCompareIsSearch(t *testing.T) {
	sketches, truth := synthetic(60, 4, 8, 30, 2, 3)
	o := DefaultOptions()
	a := mustCluster(t, sketches, o).Proximity
	table, err := Compare(a, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(LinkageNames)*4 + 4; len(table) != want {
		t.Errorf("%d rows, want %d: four rules for every linkage and for spectral", len(table), want)
	}
	for _, row := range table {
		o := o
		o.Choose = row.Choose
		if row.Method == "spectral" {
			o.Method = "spectral"
		} else {
			o.Linkage = row.Method
		}
		want, err := Search(a, o)
		if err != nil {
			t.Fatal(err)
		}
		k := slices.IndexFunc(want.Candidates, func(c Candidate) bool { return c.Chosen })
		if !slices.EqualFunc(row.Clusters, want.Clusters, slices.Equal) || row.Loss != want.Candidates[k].Loss || row.Silhouette != want.Candidates[k].Silhouette {
			t.Errorf("%s, %s: %d clusters, loss %g; Search has %d, %g", row.Method, row.Choose, len(row.Clusters), row.Loss, len(want.Clusters), want.Candidates[k].Loss)
		}
		if row.Choose == "silhouette" {
			if x, _ := agreement.AdjustedRandIndex(agreement.Labels(row.Clusters, 60), truth); x != 1 {
				t.Errorf("%s, silhouette: adjusted Rand index %g on separate groups", row.Method, x)
			}
		}
	}
}

func TestCompareOdd(t *testing.T) {
	for n := 1; n <= 3; n++ { // all clients are alike: one cluster with every method and every rule that has a least value
		table, err := Compare(mat.NewSymDense(n, nil), DefaultOptions(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range table {
			if row.Choose != "loss" && len(row.Clusters) != 1 {
				t.Errorf("%d clients, %s, %s: %d clusters", n, row.Method, row.Choose, len(row.Clusters))
			}
		}
	}
	large, err := Compare(mat.NewSymDense(SpectralClients+1, nil), DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(large, func(c Comparison) bool { return c.Method == "spectral" }) {
		t.Error("spectral clustering of more clients than SpectralClients")
	}
	stop := errors.New("stop")
	if _, err := Compare(mat.NewSymDense(3, nil), DefaultOptions(), func(string, int, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: got %v", err)
	}
}

// TestWeakSilhouette checks that weak silhouettes count only with few clusters.
func TestWeakSilhouette(t *testing.T) {
	clusters := func(n, z int) (c [][]int) {
		for range z {
			c = append(c, make([]int, n/z))
		}
		return c
	}
	for _, c := range []struct {
		z                int
		silhouette, even float64
		want             float64
	}{
		{10, 0.3, 0.3, 0.3}, {20, 0.3, 0.3, 0}, {20, 0.49, 0.49, 0}, {20, 0.5, 0.5, 0.5}, {5, 0.9, 0.7, 0}, {5, 0.9, 0.75, 0.9},
	} {
		if got := silhouette(Candidate{Clusters: clusters(100, c.z), Silhouette: c.silhouette, Even: c.even}); got != c.want {
			t.Errorf("%d clusters of 100 clients, silhouette %g, even %g: counts as %g, want %g", c.z, c.silhouette, c.even, got, c.want)
		}
	}
}
