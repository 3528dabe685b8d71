package report

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/npy"
	"feddag/report/plot"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// written returns clusters.json and proximity.npy of a clustering, and the SVG of its heat map and of its dendrogram.
func written(t *testing.T, c *Clustering) (file clustersJSON, near *mat.Dense, heat, tree string) {
	t.Helper()
	d, err := Create(context.Background(), filepath.Join(t.TempDir(), "run"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	formats, err := plot.ParseFormats([]string{"svg"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteClustering(c, formats); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		raw, err := os.ReadFile(d.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if err := json.Unmarshal(read(ClustersFile), &file); err != nil {
		t.Fatal(err)
	}
	a, err := npy.Read(strings.NewReader(string(read("proximity.npy"))), 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if near, err = a.Matrix(); err != nil {
		t.Fatal(err)
	}
	return file, near, string(read(heatPlot + ".svg")), string(read(dendrogramPlot + ".svg"))
}

// TestProximityByTest checks that the matrix of clusters that tests found is the distance in units of its noise: near 0 within a
// cluster, large between clusters.
func TestProximityByTest(t *testing.T) {
	c := byTest(t, 20, 5)
	file, near, heat, tree := written(t, c)
	if rows, _ := near.Dims(); rows != 20 || file.Rows != nil || strings.Contains(heat+tree, "sample") || !strings.Contains(tree, "not cut from the tree") {
		t.Errorf("%d rows, of clients %v", rows, file.Rows)
	}
	if inside, between := near.At(0, 1), near.At(0, 7); inside > 5 || between < 5 {
		t.Errorf("the distance is %g in a cluster and %g between two", inside, between)
	}
	want, err := c.Result.Roster.Distances(nil)
	if err != nil || !mat.EqualApprox(want, near, 0) {
		t.Errorf("proximity.npy has other distances (%v)", err)
	}
	if c.Result.Proximity != nil {
		t.Error("the matrix is kept in the result")
	}
}

// TestSampleOfDistances checks that files and plots of more than 2,000 clients show a sample and are labelled as such.
func TestSampleOfDistances(t *testing.T) {
	c := byTest(t, groups.MostDistances+40, 5)
	c.IDs = make([]int, len(c.Counts))
	for i := range c.IDs {
		c.IDs[i] = 2 * i
	}
	file, near, heat, tree := written(t, c)
	if rows, _ := near.Dims(); rows != groups.MostDistances || len(file.Rows) != rows || !slices.IsSorted(file.Rows) || file.Rows[rows-1]%2 != 0 {
		t.Errorf("%d rows, of %d clients", rows, len(file.Rows))
	}
	for name, svg := range map[string]string{"heat map": heat, "dendrogram": tree} {
		if !strings.Contains(svg, "a random sample of 2,000 of 2,040 clients") {
			t.Errorf("the %s does not say that it shows a sample", name)
		}
	}
}
