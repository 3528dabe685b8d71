package groups

import (
	"math"
	"math/rand/v2"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// planted describes clients whose images have Gaussian features, which are skewed if skew > 0. The mean of class c is a random
// point at a distance of gap standard deviations from the origin. If concept is set, the images of class c in group g are those
// of class (c + g) mod classes. All images of a group are shifted by domain standard deviations in a direction of the group, and
// their noise is multiplied by 1 + g noisy. Each client has a style, which shifts all its images. The shares of the classes are a
// Dirichlet draw with the given concentration.
type planted struct {
	clients, groups, classes, d, images int
	gap, style, domain, concentration   float64
	skew, noisy                         float64
	concept                             bool
	swap                                bool // the images of classes 0 and 1 are exchanged in odd groups
}

// world holds the data that the groups of a planted federation have in common.
type world struct {
	planted
	random *rand.Rand
	class  [][]float64 // means of the classes
	domain [][]float64 // directions of the groups
	mix    *mat.Dense  // makes the features correlated

	fixedShares, fixedStyle []float64 // shares and style of the next clients; if nil, each draws its own
}

func (p planted) world(random *rand.Rand) *world {
	w := &world{planted: p, random: random, mix: mat.NewDense(p.d, p.d, nil)}
	direction := func(length float64) []float64 {
		x := make([]float64, p.d)
		for f := range x {
			x[f] = random.NormFloat64()
		}
		scale(length/math.Sqrt(dot(x, x)), x)
		return x
	}
	for range p.classes {
		w.class = append(w.class, direction(p.gap))
	}
	for range p.groups {
		w.domain = append(w.domain, direction(1))
	}
	for f := range p.d {
		for g := range p.d {
			w.mix.Set(f, g, random.NormFloat64()*0.5)
		}
		w.mix.Set(f, f, w.mix.At(f, f)+1)
	}
	return w
}

// draw returns the class shares and the style of a client.
func (w *world) draw() (share, style []float64) {
	share, style = make([]float64, w.classes), make([]float64, w.d)
	for c := range share {
		share[c] = gamma(w.random, w.concentration)
	}
	for f := range style {
		style[f] = w.style * w.random.NormFloat64()
	}
	return share, style
}

// client returns the images of a new client of a group, and their labels.
func (w *world) client(group int) (*mat.Dense, []int) {
	n := w.images/2 + w.random.IntN(w.images+1)
	share, style := w.fixedShares, w.fixedStyle
	if share == nil {
		share, style = w.draw()
	}
	x, labels, raw := mat.NewDense(n, w.d, nil), make([]int, n), make([]float64, w.d)
	for k := range n {
		at := w.random.Float64() * sumOf(share)
		for labels[k] = 0; labels[k] < w.classes-1 && at > share[labels[k]]; labels[k]++ {
			at -= share[labels[k]]
		}
		seen := labels[k]
		if w.concept {
			seen = (seen + group) % w.classes
		}
		if w.swap && group%2 == 1 && seen < 2 {
			seen = 1 - seen
		}
		for f := range raw {
			raw[f] = (w.random.NormFloat64()+w.skew*w.random.ExpFloat64())*(1+float64(group)*w.noisy) + w.class[seen][f] + w.planted.domain*w.domain[group][f] + style[f]
		}
		mat.NewVecDense(w.d, x.RawRowView(k)).MulVec(w.mix, mat.NewVecDense(w.d, raw))
	}
	return x, labels
}

// sketch returns the sketch of a new client of a group.
func (w *world) sketch(t testing.TB, group int) (*Sketch, *mat.SymDense) {
	t.Helper()
	x, labels := w.client(group)
	s, scatter, err := NewSketch(x, labels, w.classes, w.random)
	if err != nil {
		t.Fatal(err)
	}
	return s, scatter
}

// roster returns a roster of the true groups of a planted federation. Client i is in group i mod groups.
func (w *world) roster(t testing.TB, o Options) *Roster {
	t.Helper()
	var sketches []*Sketch
	scatter := mat.NewSymDense(w.d, nil)
	found := &Result{Clusters: make([][]int, w.groups)}
	for i := range w.clients {
		s, own := w.sketch(t, i%w.groups)
		sketches = append(sketches, s)
		scatter.AddSym(scatter, own)
		found.Clusters[i%w.groups] = append(found.Clusters[i%w.groups], i)
	}
	found.LabelClusters = [][]int{sequence(w.clients)}
	r, err := NewRoster(Shape{}, sketches, scatter, found, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newWorld(p planted, seed uint64) *world {
	return p.world(stream.New(seed, "test: planted federation"))
}

// gamma returns a gamma variate with the given shape.
func gamma(random *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(random, shape+1) * math.Pow(random.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		x := random.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(random.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
