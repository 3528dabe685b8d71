package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/federation/data"
	"feddag/internal/stream"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// greySet returns a set of ten classes with images of 12 x 12 pixels, whose brightness is their class's.
func greySet(perClass int) *data.Set {
	s := &data.Set{Name: "grey", Channels: 1, Height: 12, Width: 12, Classes: 10}
	for i := range 10 * perClass {
		s.Train.Labels = append(s.Train.Labels, uint8(i%10))
		s.Train.Pixels = append(s.Train.Pixels, slices.Repeat([]byte{byte(20 * (i % 10))}, 144)...)
	}
	s.Test = data.Images{Pixels: s.Train.Pixels[:1440], Labels: s.Train.Labels[:10]}
	return s
}

func TestFederations(t *testing.T) {
	s := greySet(400)
	for _, k := range kinds {
		c := cell{set: "grey", kind: k.name, share: 1, clients: 20, seed: 3}
		x, err := c.federation(s)
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if err := x.partition.Check(s); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		size := make([]int, slices.Max(x.truth)+1)
		for _, g := range x.truth {
			size[g]++
		}
		slices.Sort(size)
		if want := map[string][]int{"sizes": {2, 6, 12}, "III": {20}, "IID": {20}, "II": {6, 7, 7}, "IV5": {4, 4, 4, 4, 4}}[k.name]; want != nil && !slices.Equal(size, want) {
			t.Errorf("%s: groups of %v clients, want %v", k.name, size, want)
		}
		if k.name == "II+I" && len(size) < 6 {
			t.Errorf("%s: %d groups are no more than the concepts or the label sets", k.name, len(size))
		}
		noisy := 0
		for j, l := range x.labels {
			if l != s.Train.Labels[j] {
				noisy++
			}
		}
		if many := strings.HasSuffix(k.name, "noise"); many != (noisy > 300 && noisy < 500) || !many && noisy > 0 {
			t.Errorf("%s: %d of 4000 labels are noise", k.name, noisy)
		}
		if k.name == "III" && x.partition.Unassigned(s) != 0 {
			t.Errorf("%s: %d images belong to nobody", k.name, x.partition.Unassigned(s))
		}
	}
}

// TestOutput checks that a file of results is read as it was written, without an incomplete line at its end.
func TestOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.tsv")
	a := result{cell{"mnist", "II", 0.1, 0.05, 100, 101}, 4, 3, 0.75, 1, 1.5, 6560}
	for k, tail := range []string{"mnist\tII\t0", ""} {
		o, err := openOutput(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.done) != k {
			t.Fatalf("%d results, want %d", len(o.done), k)
		}
		a.seed += uint64(k)
		if err := o.add(a); err != nil {
			t.Fatal(err)
		}
		if _, err := o.file.WriteString(tail); err != nil {
			t.Fatal(err)
		}
		o.file.Close()
	}
	all, _, err := readResults(path)
	if err != nil || len(all) != 2 || all[1] != a {
		t.Errorf("%v, %v", all, err)
	}
	if err := os.WriteFile(path, []byte("something else\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := openOutput(path); err == nil {
		t.Error("a file of something else was opened")
	}
}

func TestSummary(t *testing.T) {
	exact, one := result{found: 3, truth: 3, ari: 1}, result{found: 1, truth: 1, ari: 1}
	for want, results := range map[string][]result{
		"":                            nil,
		"1 / 1":                       {exact, exact},
		"0.750 / 0.500; 1 of 2; 3-4":  {exact, {found: 4, truth: 3, ari: 0.5}},
		"0.750 / 0.500; 1 of 2":       {exact, {found: 3, truth: 3, ari: 0.5}},
		"one cluster":                 {one, one},
		"1-5 clusters; one in 1 of 2": {one, {found: 5, truth: 1}},
	} {
		if got := summary(results); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBound checks that the best assignment finds groups that differ in their labels or in their images.
func TestBound(t *testing.T) {
	sketch := func(classes []int, x float64) *groups.Sketch {
		s := new(groups.Sketch)
		for h := range groups.Halves {
			s.Counts[h], s.Means[h] = make([]int, 3), mat.NewDense(3, 2, nil)
			for _, c := range classes {
				s.Counts[h][c] = 20
				s.Means[h].SetRow(c, []float64{x, float64(h)})
			}
		}
		return s
	}
	scatter := mat.NewSymDense(2, []float64{50, 0, 0, 50})
	var clients []*groups.Sketch
	var truth []int
	for range 5 {
		clients = append(clients, sketch([]int{0, 1}, 0), sketch([]int{0, 1}, 3), sketch([]int{1, 2}, 0))
		truth = append(truth, 0, 1, 2)
	}
	if got := bound(clients, clients, scatter, truth); !slices.Equal(got, truth) {
		t.Errorf("%v, want %v", got, truth)
	}
	// A client with a class that only one group has belongs to that group, whatever its images look like.
	clients[2] = sketch([]int{1, 2}, 3)
	if got := bound(clients, clients, scatter, truth); got[2] != 2 {
		t.Errorf("client 2 holds class 2, but is of group %d", got[2])
	}
	// A client is not used to describe its own group. Otherwise each would be alone in its group again.
	clients, truth = nil, nil
	r := stream.New(1, "test")
	for i := range 20 {
		clients, truth = append(clients, sketch([]int{0}, r.NormFloat64())), append(truth, i)
	}
	same := 0
	for i, g := range bound(clients, clients, scatter, truth) {
		if g == truth[i] {
			same++
		}
	}
	if same > 16 {
		t.Errorf("%d of 20 clients are in a group of their own", same)
	}
}
