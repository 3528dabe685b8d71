package similarity

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"feddag/internal/npy"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// features returns the sketches of n clients in two groups: the second half has other images of the same three classes.
func features(t *testing.T, n int) *Features {
	t.Helper()
	const classes, images = 3, 30
	shape := groups.Shape{Channels: 1, Height: 4, Width: 4}
	d, err := shape.Features()
	if err != nil {
		t.Fatal(err)
	}
	f := &Features{Shape: shape, Scatter: mat.NewSymDense(d, nil)}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		x, labels := mat.NewDense(images, d, nil), make([]int, images)
		for k := range images {
			labels[k] = k % classes
			for j := range d {
				x.Set(k, j, random.NormFloat64()+float64(labels[k]))
			}
			if i >= n/2 {
				x.Set(k, 0, x.At(k, 0)+4)
			}
		}
		s, scatter, err := groups.NewSketch(x, labels, classes, random)
		if err != nil {
			t.Fatal(err)
		}
		f.Scatter.AddSym(f.Scatter, scatter)
		f.Sketches = append(f.Sketches, s)
	}
	return f
}

// TestClusterFeatures checks that the clusters are those of groups.Find, with the roster's CC-graph, and without the results of
// the paper's similarity.
func TestClusterFeatures(t *testing.T) {
	f, o := features(t, 12), DefaultOptions()
	o.Seed, o.TopK, o.Choose = 5, 1, "count:12" // the rule must have no effect
	var steps []string
	r, err := f.Cluster(o, func(step string, _, _ int) error { steps = append(steps, step); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}; !reflect.DeepEqual(r.Clusters, want) {
		t.Fatalf("clusters %v, want %v", r.Clusters, want)
	}
	found, err := groups.Find(f.Sketches, f.Scatter, o.GroupOptions())
	if err != nil || !reflect.DeepEqual(found.Clusters, r.Clusters) || r.FoundBy != FoundByTest || r.Test == nil || r.Roster == nil {
		t.Errorf("the result is %+v (%v)", r, err)
	}
	if r.Proximity != nil || r.Gradient != nil || r.Candidates != nil || r.Dendrogram != nil || r.Gates != nil {
		t.Errorf("the tests give a matrix or a search: %+v", r)
	}
	h, graph, err := r.Roster.CCGraph(o.TopK)
	if err != nil || !reflect.DeepEqual(graph, r.Graph) || !mat.Equal(h, r.Complementarity) || len(steps) == 0 {
		t.Errorf("the CC-graph is %v, want %v (%v); steps %v", r.Graph, graph, err, steps)
	}
	if got := f.ClassCounts(); !reflect.DeepEqual(got[3], []int{10, 10, 10}) {
		t.Errorf("class counts %v", got[3])
	}
	if o.TopK = -1; true {
		if _, err := f.Cluster(o, nil); err == nil || !strings.Contains(err.Error(), "top k") {
			t.Errorf("the error is %v", err)
		}
	}
	s, err := f.Stability(r, DefaultOptions(), groups.Halves, nil)
	if err != nil || len(s.ARI) != groups.Halves || len(s.Count) != groups.Halves || len(s.Clusters) != 2 || s.Between == nil {
		t.Errorf("stability %+v (%v)", s, err)
	}
	if _, err := f.Stability(r, DefaultOptions(), 3, nil); err == nil || !strings.Contains(err.Error(), "use 2") {
		t.Errorf("stability: the error is %v", err)
	}
}

// TestFeatureFiles checks that features which were written to a folder or a file give the same clusters, bit for bit, that a
// folder may be used again for sketches of the other kind, and that the kind of a file is recognised.
func TestFeatureFiles(t *testing.T) {
	f := features(t, 8)
	vectors, truth := synthetic(8, 2, 4, 20, 2, 5)
	for _, name := range []string{"folder", "file.npz"} {
		path := filepath.Join(t.TempDir(), name)
		for range 2 {
			if err := Write(path, Vectors(vectors), truth); err != nil {
				t.Fatal(err)
			}
			if a, err := OpenArchive(path); err != nil || a.FoundBy() != FoundBySimilarity || len(a.Groups()) != 8 || a.Close() != nil {
				t.Fatalf("%s: %v, want sketches of the similarity with groups", name, err)
			}
			if err := Write(path, f, nil); err != nil {
				t.Fatal(err)
			}
		}
		a, err := OpenArchive(path)
		if err != nil {
			t.Fatal(err)
		}
		got := a.(*featureArchive)
		if got.FoundBy() != FoundByTest || got.Groups() != nil || got.Shape != f.Shape || !mat.Equal(got.Scatter, f.Scatter) {
			t.Errorf("%s: %v features by %s", name, got.Shape, got.FoundBy())
		}
		for i, s := range f.Sketches {
			for h := range groups.Halves {
				if !reflect.DeepEqual(s.Counts[h], got.Sketches[i].Counts[h]) || !mat.Equal(s.Means[h], got.Sketches[i].Means[h]) {
					t.Errorf("%s: client %d, half %d differs", name, i, h)
				}
			}
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFeatureFileMistakes checks the error for each way in which a file of features may be invalid. The error must name the array
// or the client.
func TestFeatureFileMistakes(t *testing.T) {
	f := features(t, 4)
	write := func(t *testing.T, path, name string, a *npy.Array) {
		t.Helper()
		file, err := os.Create(filepath.Join(path, name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		if err := npy.Write(file, a); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ints := func(shape []int, x ...int64) *npy.Array { return &npy.Array{Shape: shape, Data: x} }
	change := func(name string, at int, bits uint64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			path = filepath.Join(path, name+".npy")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if at < 0 {
				at += len(raw)
			}
			binary.LittleEndian.PutUint64(raw[at:], bits)
			if err := os.WriteFile(path, raw, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	nan := math.Float64bits(math.NaN())
	for says, damage := range map[string]func(t *testing.T, path string){
		"feature_version is 2, but this program has version 1": func(t *testing.T, path string) { write(t, path, versionArray, ints(nil, 2)) },
		"feature_version: the array has the shape [2], but it must be a single number": func(t *testing.T, path string) {
			write(t, path, versionArray, ints([]int{2}, 1, 1))
		},
		"images of 3 x 32 x 32 pixels have 120 features": func(t *testing.T, path string) {
			write(t, path, shapeArray, ints([]int{3}, 3, 32, 32))
		},
		"image_shape: ": func(t *testing.T, path string) { write(t, path, shapeArray, ints([]int{3}, 1, 2, 2)) },
		"feature_counts: the array has the shape [4 6], but it must be any x 2 x any": func(t *testing.T, path string) {
			write(t, path, halfCountsArray, ints([]int{4, 6}, make([]int64, 24)...))
		},
		"feature_means: the array has the shape [4 2 3 24], but it must be 4 x 2 x 4 x 24": func(t *testing.T, path string) {
			write(t, path, halfCountsArray, ints([]int{4, 2, 4}, make([]int64, 32)...))
		},
		"feature_scatter: ": func(t *testing.T, path string) { write(t, path, scatterArray, ints([]int{1, 1}, 1)) },
		"feature_scatter: the entries of features 0 and 23 are": change(scatterArray, -8*24, math.Float64bits(1e6)),
		"feature_counts: ": change(halfCountsArray, -8, math.MaxUint64),
		"client 3: feature 23 of class 2 has mean NaN in half 1":            change(meansArray, -8, nan),
		"the scatter matrix has the entry NaN for features 23 and 23":       change(scatterArray, -8, nan),
		"true_groups: the array has the shape [2], but there are 4 clients": func(t *testing.T, path string) { write(t, path, groupsArray, ints([]int{2}, 0, 0)) },
		"feature_means": func(t *testing.T, path string) {
			if err := os.Truncate(filepath.Join(path, meansArray+".npy"), 200); err != nil {
				t.Fatal(err)
			}
		},
		"image_shape": func(t *testing.T, path string) {
			if err := os.Remove(filepath.Join(path, shapeArray+".npy")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		path := t.TempDir()
		if err := WriteFeatures(path, f, nil); err != nil {
			t.Fatal(err)
		}
		damage(t, path)
		a, err := OpenArchive(path)
		if err == nil {
			_, err = a.Cluster(DefaultOptions(), nil)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want %q", err, says)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.npz")
	if err := WriteFeatures(path, f, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenArchive(path); err == nil || !strings.Contains(err.Error(), "cut.npz") {
		t.Errorf("a truncated file: the error is %v", err)
	}
	f.Sketches[2].Counts[1] = f.Sketches[2].Counts[1][:2]
	if err := WriteFeatures(path, f, nil); err == nil || !strings.Contains(err.Error(), "client 2") {
		t.Errorf("sketches of other classes: the error is %v", err)
	}
}
