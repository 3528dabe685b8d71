package similarity

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/atomicfile"
	"feddag/internal/npy"

	"gonum.org/v1/gonum/mat"
)

func sameSketches(t *testing.T, what string, got, want []Sketch) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d clients, want %d", what, len(got), len(want))
	}
	for i, s := range got {
		if !slices.Equal(s.Counts, want[i].Counts) || !slices.Equal(s.Update, want[i].Update) {
			t.Fatalf("%s: client %d came back otherwise", what, i)
		}
		for c, u := range s.Bases {
			if (u == nil) != (want[i].Bases[c] == nil) || u != nil && !mat.Equal(u, want[i].Bases[c]) {
				t.Fatalf("%s: client %d, class %d came back otherwise", what, i, c)
			}
		}
	}
}

// TestSketchesOnDisk checks that sketches are restored bit for bit from a folder, a .npz file and a compressed .npz file, and
// give the same clusters from disk.
func TestSketchesOnDisk(t *testing.T) {
	sketches, truth := synthetic(30, 3, 6, 25, 2, 18)
	sketches[4] = Sketch{make([]int, 6), make([]*mat.Dense, 6), make([]float64, 64)} // a client without samples
	o := DefaultOptions()
	want := mustCluster(t, sketches, o)
	folder := t.TempDir()
	plain, tight := filepath.Join(folder, "sketches.npz"), filepath.Join(folder, "tight.npz")
	loose := filepath.Join(folder, "some", "sketches")
	for _, path := range []string{loose, plain} {
		for range 2 { // the second time overwrites the first
			if err := WriteSketches(path, sketches, truth); err != nil {
				t.Fatal(err)
			}
		}
	}
	compress(t, plain, tight)
	for _, path := range []string{loose, plain, tight} {
		got, err := readSketches(path)
		if err != nil {
			t.Fatal(err)
		}
		sameSketches(t, path, got, sketches)
		f, err := OpenSketches(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Groups(), truth) || len(f.ClassCounts()) != 30 || !slices.Equal(f.updates[7], sketches[7].Update) {
			t.Errorf("%s: groups %v, want %v", path, f.Groups(), truth)
		}
		r, err := f.Cluster(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if !mat.Equal(r.Proximity, want.Proximity) || !slices.EqualFunc(r.Clusters, want.Clusters, slices.Equal) || !mat.Equal(r.Complementarity, want.Complementarity) {
			t.Errorf("%s clusters otherwise than from memory", path)
		}
	}
	for _, path := range []string{loose, plain} { // other sketches at the same path, without known groups
		if err := WriteSketches(path, sketches[:5], nil); err != nil {
			t.Fatal(err)
		}
		f, err := OpenSketches(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Groups() != nil {
			t.Errorf("%s: groups %v of sketches that were there before", path, f.Groups())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(loose, ".*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// compress copies a .npz file with compression, like np.savez_compressed.
func compress(t *testing.T, from, to string) {
	t.Helper()
	r, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := zip.NewWriter(file)
	for _, e := range r.File {
		in, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Create(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// readSketches reads a file of sketches as a whole.
func readSketches(path string) ([]Sketch, error) {
	f, err := OpenSketches(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sketches := make([]Sketch, len(f.counts))
	for i := range sketches {
		sketches[i] = Sketch{f.counts[i], make([]*mat.Dense, len(f.counts[i])), f.updates[i]}
	}
	for c := range f.counts[0] {
		stack, owner, err := f.stack(c)
		if err != nil {
			return nil, fmt.Errorf("sketches in %s: %w", path, err)
		}
		for _, own := range runs(owner) {
			sketches[owner[own.from]].Bases[c] = mat.DenseCopyOf(stack.Slice(own.from, own.to, 0, f.pixels).T())
		}
	}
	return sketches, nil
}

// TestGoldenSketches checks that the arrays of the golden folder are read as sketches, in float32 and by client.
func TestGoldenSketches(t *testing.T) {
	want := goldenSketches(t)
	got, err := readSketches(shared(t, "golden", "prototype-fmnist"))
	if err != nil {
		t.Fatal(err)
	}
	sameSketches(t, "golden", got, want)
}

func TestSketchErrors(t *testing.T) {
	good := func() map[string]*npy.Array {
		return map[string]*npy.Array{
			countsArray:  {Shape: []int{2, 2}, Data: []int64{3, 0, 1, 2}},
			updatesArray: {Shape: []int{2, 1}, Data: []float32{1, 2}},
			vectorsArray: {Shape: []int{4, 2}, Data: []float64{1, 0, 0, 1, 0.6, 0.8, 0, 1}},
			ownerArray:   {Shape: []int{4, 3}, Data: []int32{0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0}},
		}
	}
	write := func(change func(a map[string]*npy.Array)) string {
		folder := t.TempDir()
		arrays := good()
		change(arrays)
		for name, a := range arrays {
			err := atomicfile.Write(filepath.Join(folder, name+".npy"), func(w io.Writer) error { return npy.Write(w, a) })
			if err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
	if s, err := readSketches(write(func(map[string]*npy.Array) {})); err != nil || s[0].Bases[0].At(1, 1) != 1 || s[1].Bases[0].At(1, 0) != 0.8 {
		t.Fatalf("good sketches: %v (%v)", s, err)
	}
	short := write(func(map[string]*npy.Array) {})
	if err := os.Truncate(filepath.Join(short, vectorsArray+".npy"), 128+40); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(short, "text.npz")
	if err := os.WriteFile(text, []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	lacking := filepath.Join(short, "lacking.npz")
	if err := writeArrays(lacking, nil, nil); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{
		"no such file":                                            filepath.Join(short, "nowhere"),
		"neither a folder nor a .npz file":                        text,
		"it has no array class_counts":                            lacking,
		"client 0, class 0: its vectors cannot be read":           short,
		"class_counts.npy: no such file":                          write(func(a map[string]*npy.Array) { delete(a, countsArray) }),
		"class_counts: the array has the shape [4]":               write(func(a map[string]*npy.Array) { a[countsArray].Shape = []int{4} }),
		"class_counts has 4 clients":                              write(func(a map[string]*npy.Array) { a[countsArray].Shape = []int{4, 1} }),
		"class_counts: an array of floating-point":                write(func(a map[string]*npy.Array) { a[countsArray].Data = make([]float64, 4) }),
		"sparse_updates: the array has the shape [2]":             write(func(a map[string]*npy.Array) { a[updatesArray].Shape = []int{2} }),
		"principal_vectors: the array has the shape [2 4]":        write(func(a map[string]*npy.Array) { a[vectorsArray].Shape = []int{2, 4} }),
		"principal_vectors: the elements have the type |u1":       write(func(a map[string]*npy.Array) { a[vectorsArray].Data = make([]uint8, 8) }),
		"principal_vectors_owner: the array has the shape":        write(func(a map[string]*npy.Array) { a[ownerArray].Shape = []int{3, 4} }),
		"row 3 has client 2 and class 1":                          write(func(a map[string]*npy.Array) { a[ownerArray].Data.([]int32)[9] = 2 }),
		"client 0, class 0: the positions of its vectors must be": write(func(a map[string]*npy.Array) { a[ownerArray].Data.([]int32)[5] = 0 }),
		"client 1: class 1 has 0 samples and 1":                   write(func(a map[string]*npy.Array) { a[countsArray].Data.([]int64)[3] = 0 }),
		"client 0: class 1 has 7 samples and 0":                   write(func(a map[string]*npy.Array) { a[countsArray].Data.([]int64)[1] = 7 }),
		"client 1: class 1 has -2 samples":                        write(func(a map[string]*npy.Array) { a[countsArray].Data.([]int64)[3] = -2 }),
		"true_groups: the array has the shape [3]":                write(func(a map[string]*npy.Array) { a[groupsArray] = &npy.Array{Shape: []int{3}, Data: []int64{0, 0, 1}} }),
		"true_groups: an array of floating-point":                 write(func(a map[string]*npy.Array) { a[groupsArray] = &npy.Array{Shape: []int{2}, Data: []float64{0, 1}} }),
		"client 1, class 0: principal vector 0 has":               write(func(a map[string]*npy.Array) { a[vectorsArray].Data.([]float64)[4] = 6 }),
	} {
		if _, err := readSketches(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		f, err := OpenSketches(path)
		if err == nil {
			_, err = f.Cluster(DefaultOptions(), nil)
			_ = f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("clustering: got %v, want %q", err, want)
		}
	}
	sketches, _ := synthetic(3, 2, 2, 10, 2, 1)
	sketches[2].Update = nil
	if err := WriteSketches(filepath.Join(short, "new"), sketches, nil); err == nil || !strings.Contains(err.Error(), "client 2: its update") {
		t.Errorf("writing: got %v", err)
	}
	if err := WriteSketches(filepath.Join(short, "new"), sketches, []int{1}); err == nil || !strings.Contains(err.Error(), "true groups for 1 clients") {
		t.Errorf("writing groups of others: got %v", err)
	}
	if err := WriteSketches(filepath.Join(text, "below"), nil, nil); err == nil || !strings.Contains(fmt.Sprint(err), "no client") {
		t.Errorf("writing nothing: got %v", err)
	}
}
