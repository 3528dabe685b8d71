package groups

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// dealt returns the class counts of clients that get a geometric number of images, with mean 20, of each class in order until
// they reach the quota. Class c of client i counts share(i, c) times.
func dealt(random *rand.Rand, clients, classes int, quota float64, order func(i, k int) int, share func(i, c int) float64) [][]float64 {
	counts := make([][]float64, clients)
	for i := range counts {
		counts[i] = make([]float64, classes)
		for k := range classes {
			if c := order(i, k); sumOf(counts[i]) < quota {
				counts[i][c] = float64(int(share(i, c) * (1 + 20*random.ExpFloat64())))
			}
		}
	}
	return counts
}

// TestLabelClusters checks that classes which clients lack because of a quota do not give clusters, with any amount of data, and
// that groups with different classes, or different shares of them, stay separate.
func TestLabelClusters(t *testing.T) {
	inOrder := func(_, k int) int { return k }
	alike := func(int, int) float64 { return 1 }
	half := func(i int) []int {
		var who []int
		for k := i; k < 60; k += 2 {
			who = append(who, k)
		}
		return who
	}
	for name, x := range map[string]struct {
		quota float64
		order func(i, k int) int
		share func(i, c int) float64
		want  [][]int
	}{
		"no groups":     {1e9, inOrder, alike, [][]int{sequence(60)}},
		"quota":         {120, inOrder, alike, [][]int{sequence(60)}},
		"strict quota":  {60, inOrder, alike, [][]int{sequence(60)}},
		"shares":        {1e9, inOrder, func(i, c int) float64 { return []float64{0.2, 3}[(i+c)%2] }, [][]int{half(0), half(1)}},
		"other classes": {1e9, inOrder, func(i, c int) float64 { return float64((i + c/4 + 1) % 2) }, [][]int{half(0), half(1)}},
		"fewer classes": {1e9, inOrder, func(i, c int) float64 { return min(1, float64(i%2+c/4)) }, [][]int{half(0), half(1)}},
	} {
		counts := dealt(stream.New(1, "test"), 60, 8, x.quota, x.order, x.share)
		for i := range counts {
			if sumOf(counts[i]) == 0 {
				counts[i][7] = 1
			}
		}
		if got := labelClusters(counts, len(counts), 40, 0.001); !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s: the clusters are %v, want %v", name, got, x.want)
		}
	}
}

// TestConceptsUnderQuota checks that the clients of one concept are one cluster although a quota gave them other classes,
// although the label code of all clients cannot detect this, because the quota applies in a different order in each concept.
func TestConceptsUnderQuota(t *testing.T) {
	const clients, classes, d = 80, 8, 10
	random := stream.New(3, "test")
	names := func(i, c int) int { // label that client i gives to the images of class c
		if i%2 == 1 {
			return classes - 1 - c
		}
		return c
	}
	counts := dealt(random, clients, classes, 90, func(i, k int) int { return names(i, k) }, func(int, int) float64 { return 1 })
	if got := labelClusters(counts, len(counts), 40, 0.001); len(got) < 2 {
		t.Fatalf("there is one label cluster: the quota is too large for this test")
	}
	place := mat.NewDense(classes, d, nil)
	for c := range classes {
		for f := range d {
			place.Set(c, f, random.NormFloat64())
		}
	}
	var sketches []*Sketch
	scatter := mat.NewSymDense(d, nil)
	for i, x := range counts {
		n := int(sumOf(x))
		images, labels, k := mat.NewDense(n, d, nil), make([]int, n), 0
		for c, m := range x {
			for range int(m) {
				labels[k] = c
				for f := range d {
					images.Set(k, f, place.At(names(i, c), f)+random.NormFloat64())
				}
				k++
			}
		}
		s, own, err := NewSketch(images, labels, classes, random)
		if err != nil {
			t.Fatal(err)
		}
		sketches = append(sketches, s)
		scatter.AddSym(scatter, own)
	}
	r, err := Find(sketches, scatter, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	truth := make([]int, clients)
	for i := range truth {
		truth[i] = i % 2
	}
	if want := byLabel(truth); !reflect.DeepEqual(r.Clusters, want) {
		t.Errorf("the clusters are %v, want %v", r.Clusters, want)
	}
}
