package groups

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// Halves is the number of random halves into which a client divides its images of each class. A difference that is learnt on one
// half can be tested on the other.
const Halves = 2

// Sketch is the data that a client sends, once: 2 C (d + 1) numbers. The client also contributes to the scatter matrix, see
// [NewSketch]. A half with a single image of a class reveals the features of that image.
type Sketch struct {
	Counts [Halves][]int      // number of images of each class in each half, length C
	Means  [Halves]*mat.Dense // their mean feature vectors, C x d; the row of a class without images is not read
}

// images returns the number of images of each class in a half.
func (s *Sketch) images(h int) []float64 {
	counts := make([]float64, len(s.Counts[h]))
	for c, n := range s.Counts[h] {
		counts[c] = float64(n)
	}
	return counts
}

// NewSketch returns the sketch of a client, and the scatter matrix of its images around its own class means,
//
//	S_i = sum_c sum_{images x of class c} (x - m_ic) (x - m_ic)'    [d, d]
//
// of which the server needs only the sum over the clients. features holds the images' features as rows, n x d, and labels their
// classes, 0..classes-1. random assigns the images of each class to the halves. If their number is odd, the last image goes to a
// random half. An error names the image that caused it.
func NewSketch(features *mat.Dense, labels []int, classes int, random *rand.Rand) (*Sketch, *mat.SymDense, error) {
	n, d := features.Dims()
	if n != len(labels) {
		return nil, nil, fmt.Errorf("sketch: there are features for %d images, but %d labels", n, len(labels))
	}
	if classes < 1 {
		return nil, nil, fmt.Errorf("sketch: the number of classes is %d: use at least 1", classes)
	}
	byClass := make([][]int, classes)
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, nil, fmt.Errorf("sketch: image %d has label %d, but the classes are 0 to %d", i, l, classes-1)
		}
		for f, x := range features.RawRowView(i) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, nil, fmt.Errorf("sketch: feature %d of image %d is %g", f, i, x)
			}
		}
		byClass[l] = append(byClass[l], i)
	}
	s, scatter := new(Sketch), mat.NewSymDense(d, nil)
	for h := range Halves {
		s.Counts[h], s.Means[h] = make([]int, classes), mat.NewDense(classes, d, nil)
	}
	deviation := make([]float64, d)
	for c, images := range byClass {
		if len(images) == 0 {
			continue
		}
		order := random.Perm(len(images))
		cut := (len(images) + random.IntN(2)) / 2
		mean := make([]float64, d)
		for k, o := range order {
			h := 0
			if k >= cut {
				h = 1
			}
			s.Counts[h][c]++
			half := s.Means[h].RawRowView(c)
			for f, x := range features.RawRowView(images[o]) {
				half[f] += x
				mean[f] += x / float64(len(images))
			}
		}
		for h := range Halves {
			for f := range d {
				s.Means[h].RawRowView(c)[f] /= float64(max(s.Counts[h][c], 1))
			}
		}
		for _, i := range images {
			for f, x := range features.RawRowView(i) {
				deviation[f] = x - mean[f]
			}
			scatter.SymRankOne(scatter, 1, mat.NewVecDense(d, deviation))
		}
	}
	return s, scatter, nil
}

// checkSketches checks that the sketches and the scatter matrix fit each other. It returns C and d.
func checkSketches(sketches []*Sketch, scatter mat.Symmetric) (classes, d int, err error) {
	if len(sketches) == 0 {
		return 0, 0, fmt.Errorf("no client sent a sketch")
	}
	if scatter == nil {
		return 0, 0, fmt.Errorf("the scatter matrix of the features is missing")
	}
	d = scatter.SymmetricDim()
	for i, s := range sketches {
		if s == nil {
			return 0, 0, fmt.Errorf("client %d sent no sketch", i)
		}
		for h := range Halves {
			if i == 0 && h == 0 {
				classes = len(s.Counts[0])
			}
			if len(s.Counts[h]) != classes || classes == 0 {
				return 0, 0, fmt.Errorf("client %d: half %d has counts for %d classes, but the first client has counts for %d", i, h, len(s.Counts[h]), classes)
			}
			if s.Means[h] == nil {
				return 0, 0, fmt.Errorf("client %d: half %d has no class means", i, h)
			}
			if r, f := s.Means[h].Dims(); r != classes || f != d {
				return 0, 0, fmt.Errorf("client %d: the means of half %d are %d x %d, but there are %d classes and %d features: sketches of other features, channels or classes do not fit",
					i, h, r, f, classes, d)
			}
			for c, n := range s.Counts[h] {
				if n < 0 {
					return 0, 0, fmt.Errorf("client %d: half %d has %d images of class %d", i, h, n, c)
				}
				for f, x := range s.Means[h].RawRowView(c) {
					if n > 0 && (math.IsNaN(x) || math.IsInf(x, 0)) {
						return 0, 0, fmt.Errorf("client %d: feature %d of class %d has mean %g in half %d", i, f, c, x, h)
					}
				}
			}
		}
	}
	for f := range d {
		for g := f; g < d; g++ {
			if x := scatter.At(f, g); math.IsNaN(x) || math.IsInf(x, 0) {
				return 0, 0, fmt.Errorf("the scatter matrix has the entry %g for features %d and %d", x, f, g)
			}
		}
		if x := scatter.At(f, f); x < 0 {
			return 0, 0, fmt.Errorf("the scatter matrix has the entry %g for feature %d: it cannot be negative", x, f)
		}
	}
	return classes, d, nil
}
