package groups

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func TestFeatures(t *testing.T) {
	for _, x := range readArrays(t).Features {
		e, err := NewExtractor(x.Shape[0], x.Shape[1], x.Shape[2])
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, e.Len())
		if err := e.Features(x.Pixels, got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(x.Features) {
			t.Fatalf("%v: %d features, want %d", x.Shape, len(got), len(x.Features))
		}
		for k, want := range x.Features {
			if math.Abs(got[k]-want) > 1e-5 {
				t.Errorf("%v: feature %d is %g, want %g", x.Shape, k, got[k], want)
			}
		}
	}
}

func TestFeaturesOfBadImages(t *testing.T) {
	for _, shape := range [][3]int{{0, 28, 28}, {1, 3, 28}, {3, 28, 3}, {1, 0, 0}} {
		if _, err := NewExtractor(shape[0], shape[1], shape[2]); err == nil {
			t.Errorf("there is an extractor for images of %v", shape)
		}
	}
	e, err := NewExtractor(1, 12, 12)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, e.Len())
	if e.Features(make([]byte, 143), out) == nil || e.Features(make([]byte, 144), out[1:]) == nil {
		t.Error("an image of another size has features")
	}
	if err := e.Features(make([]byte, 144), out); err != nil {
		t.Fatal(err)
	}
	for k, x := range out { // a black image: means of 0, energies of one grey level squared
		if want := []float64{0, math.Log(noiseFloor)}[min(k/16, 1)]; math.Abs(x-want) > 1e-12 {
			t.Errorf("feature %d of a black image is %g, want %g", k, x, want)
		}
	}
}

func TestSketch(t *testing.T) {
	x := mat.NewDense(5, 2, []float64{1, 2, 3, 4, 5, 9, 10, 10, 20, 10})
	labels := []int{0, 0, 0, 2, 2}
	s, scatter, err := NewSketch(x, labels, 3, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []struct {
		n    int
		mean [2]float64
	}{{3, [2]float64{3, 5}}, {0, [2]float64{}}, {2, [2]float64{15, 10}}} {
		n, m := s.Counts[0][c], s.Counts[1][c]
		if n+m != want.n || max(n-m, m-n) > 1 {
			t.Errorf("class %d: halves of %d and %d images, want %d in all", c, n, m, want.n)
		}
		for f := range 2 {
			got := (float64(n)*s.Means[0].At(c, f) + float64(m)*s.Means[1].At(c, f)) / float64(max(n+m, 1))
			if math.Abs(got-want.mean[f]) > 1e-12 {
				t.Errorf("class %d: the halves' mean of feature %d is %g, want %g", c, f, got, want.mean[f])
			}
		}
	}
	want := mat.NewSymDense(2, []float64{8 + 50, 14, 14, 26}) // by hand, around (3, 5) and (15, 10)
	if !mat.EqualApprox(scatter, want, 1e-12) {
		t.Errorf("the scatter is %v, want %v", mat.Formatted(scatter), mat.Formatted(want))
	}
	for name, bad := range map[string]func() error{
		"label 3": func() error {
			_, _, err := NewSketch(x, []int{0, 0, 0, 2, 3}, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"label -1": func() error {
			_, _, err := NewSketch(x, []int{0, 0, 0, 2, -1}, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"4 labels":                   func() error { _, _, err := NewSketch(x, labels[:4], 3, rand.New(rand.NewPCG(1, 2))); return err },
		"the number of classes is 0": func() error { _, _, err := NewSketch(x, labels, 0, rand.New(rand.NewPCG(1, 2))); return err },
		"is NaN": func() error {
			y := mat.DenseCopyOf(x)
			y.Set(1, 1, math.NaN())
			_, _, err := NewSketch(y, labels, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"is +Inf": func() error {
			y := mat.DenseCopyOf(x)
			y.Set(1, 1, math.Inf(1))
			_, _, err := NewSketch(y, labels, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
	} {
		if err := bad(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
