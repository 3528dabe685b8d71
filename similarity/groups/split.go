package groups

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// View is a way in which two groups of clients are compared.
type View string

// The views in which clients are split and tested.
const (
	// Labels is the view of step 3: the groups have different shares of the classes.
	Labels View = "labels"
	// Concept is the view in which every class differs in its own direction, after the style of each client has been removed:
	// the groups give the same images different labels.
	Concept View = "concept"
	// Common is the view in which all classes differ in the same direction: the same classes look different (a domain).
	Common View = "common"
	// ClassWise is the view in which every class differs in its own direction.
	ClassWise View = "class-wise"
)

// imageViews are the views of step 1, in alphabetical order, which breaks ties.
var imageViews = []View{ClassWise, Common, Concept}

// axis holds one direction per class, [C, d].
type axis struct {
	d int
	a []float64
}

func (x axis) class(c int) []float64 { return x.a[c*x.d : (c+1)*x.d] }

// square returns |a_c|^2.
func (x axis) square(c int) float64 { return dot(x.class(c), x.class(c)) }

// split divides the rows of a table in two, in a view, and returns the side of each row and the axis from side 0 to side 1,
// a_c = mu_1c - mu_0c, which is zero for a class that one of the sides lacks. In the view Common all classes have the same axis,
// the axis of the deviations from the class means, averaged over the classes of each client.
//
// The split starts from label. If label is nil, it starts from the sign along the first singular vector of sqrt(n_ic) (m_ic -
// mu_c), which is found by power iteration. [twoMeans] then improves it.
func split(t *table, view View, label []int) ([]int, axis) {
	if view == Concept {
		t = t.withoutStyle()
	}
	points := t
	if view == Common {
		points = t.commonDeviations()
	}
	if label == nil {
		label = firstSplit(points, view != Common)
	}
	label = twoMeans(points, label)
	mu := points.centres(label, 2)
	x := axis{t.d, make([]float64, t.classes*t.d)}
	for c := range t.classes {
		k := min(c, points.classes-1)
		if mu.weight(0, k) > 0 && mu.weight(1, k) > 0 {
			axpy(1, mu.mean(1, k), x.class(c))
			axpy(-1, mu.mean(0, k), x.class(c))
		}
	}
	return label, x
}

// commonDeviations returns the deviations of the rows from the class means, averaged over the classes of each row,
//
//	sum_c n_ic (m_ic - mu_c) / n_i,    n_i = sum_c n_ic
//
// as a table with one class and the weights n_i.
func (t *table) commonDeviations() *table {
	mu, points, deviation := t.centre(), newTable(t.rows, 1, t.d), make([]float64, t.d)
	for i := range t.rows {
		for c, n := range t.weights(i) {
			if n > 0 {
				copy(deviation, t.mean(i, c))
				axpy(-1, mu.mean(0, c), deviation)
				points.n[i] += n
				axpy(n, deviation, points.mean(i, 0))
			}
		}
		scale(1/max(points.n[i], 1), points.mean(i, 0))
	}
	return points
}

// firstSplit returns the side of each row by the sign of its projection on the first singular vector of the rows sqrt(n_ic) x_ic,
// where x_ic are the means, or their deviations from the means of all rows. Power iteration starts from the longest row and ends
// when the vector changes by less than 1e-10, after sixty rounds at most.
func firstSplit(t *table, deviations bool) []int {
	width := t.classes * t.d
	x := blas64.General{Rows: t.rows, Cols: width, Stride: width, Data: make([]float64, t.rows*width)}
	row := func(i int) []float64 { return x.Data[i*width : (i+1)*width] }
	mu := t.centre()
	longest, most := 0, -1.
	for i := range t.rows {
		for c, n := range t.weights(i) {
			if n > 0 {
				own := row(i)[c*t.d : (c+1)*t.d]
				copy(own, t.mean(i, c))
				if deviations {
					axpy(-1, mu.mean(0, c), own)
				}
				scale(math.Sqrt(n), own)
			}
		}
		if s := dot(row(i), row(i)); s > most {
			longest, most = i, s
		}
	}
	v, last, place := make([]float64, width), make([]float64, width), make([]float64, t.rows)
	copy(v, row(longest))
	for range 60 {
		copy(last, v)
		blas64.Gemv(blas.NoTrans, 1, x, vector(v), 0, vector(place))
		blas64.Gemv(blas.Trans, 1, x, vector(place), 0, vector(v))
		scale(1/max(math.Sqrt(dot(v, v)), 1e-30), v)
		if squareDistance(v, last) < 1e-20 {
			break
		}
	}
	blas64.Gemv(blas.NoTrans, 1, x, vector(v), 0, vector(place))
	label := make([]int, t.rows)
	for i, p := range place {
		if p > 0 {
			label[i] = 1
		}
	}
	return label
}

// twoMeans improves a split of the rows in two by weighted 2-means of the class means, for at most 30 rounds, as long as
//
//	-sum_kc w_kc |mu_kc|^2,   the residual sum of squares minus a constant,
//
// decreases. The cost of client i on side k is, over its classes c,
//
//	sum_c n_ic |m_ic - mu_kc|^2 w_kc / (w_kc - n_ic)   if i is on side k
//	sum_c n_ic |m_ic - mu_kc|^2 w_kc / (w_kc + n_ic)   otherwise
//
// With these factors a client does not attract itself (J. Hartigan, Clustering algorithms, 1975). The cost of a class that the
// side does not have without the client is its average cost on the sides that have it, so it has no influence.
func twoMeans(t *table, label []int) []int {
	best, answer := math.Inf(1), label
	for range 30 {
		mu := t.centres(label, 2)
		rss := 0.
		for k := range 2 {
			for c, w := range mu.weights(k) {
				rss -= w * dot(mu.mean(k, c), mu.mean(k, c))
			}
		}
		if !(rss < best) {
			break
		}
		best, answer = rss, label
		next := make([]int, t.rows)
		for i := range next {
			var total [2]float64
			for c, n := range t.weights(i) {
				if n == 0 {
					continue
				}
				var price [2]float64
				var held [2]bool
				sum, sides := 0., 0.
				for k := range 2 {
					w := mu.weight(k, c)
					rest, factor := w, w+n
					if label[i] == k {
						rest, factor = w-n, w-n
					}
					price[k] = n * squareDistance(t.mean(i, c), mu.mean(k, c)) * w / max(factor, 1)
					if held[k] = rest > 0; held[k] {
						sum, sides = sum+price[k], sides+1
					}
				}
				for k := range 2 {
					if held[k] {
						total[k] += price[k]
					} else {
						total[k] += sum / max(sides, 1)
					}
				}
			}
			if total[1] < total[0] {
				next[i] = 1
			}
		}
		label = next
	}
	return answer
}

// squareDistance returns |x - y|^2.
func squareDistance(x, y []float64) float64 {
	sum := 0.
	for f, v := range x {
		sum += (v - y[f]) * (v - y[f])
	}
	return sum
}
