package groups

import (
	"math"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// federations are planted federations of two groups of clients or more, with few and many images, clients and classes.
var federations = map[string]planted{
	"two domains":    {clients: 30, groups: 2, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, domain: 3, skew: 1},
	"few clients":    {clients: 6, groups: 2, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, domain: 3, skew: 1},
	"few images":     {clients: 30, groups: 2, classes: 5, d: 20, images: 16, gap: 2, concentration: 1, domain: 3, skew: 1},
	"lone clients":   {clients: 4, groups: 4, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, domain: 3, skew: 1},
	"styles":         {clients: 30, groups: 2, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, domain: 3, skew: 1, style: 0.2},
	"three concepts": {clients: 30, groups: 3, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, skew: 1, concept: true},
	"noisy groups":   {clients: 6, groups: 3, classes: 5, d: 20, images: 100, gap: 2, concentration: 1, domain: 3, noisy: 0.5},
	"one class":      {clients: 30, groups: 2, classes: 1, d: 4, images: 60, concentration: 1, domain: 3},
}

// TestAssignErrorRate checks that the cluster to which a newcomer belongs rejects it with at most the stated probability. Of
// 2,000 newcomers per kind, 0.8% to 6.5% had p <= 0.1, 0.35% at most p <= 0.01 and none p <= 0.001. The draws are fixed.
func TestAssignErrorRate(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 1,000 newcomers of each kind")
	}
	const runs, newcomers = 50, 20
	for name, p := range federations {
		var hits [3]float64
		levels := [3]float64{0.1, 0.01, 0.001}
		for run := range runs {
			w := newWorld(p, uint64(run))
			r := w.roster(t, DefaultOptions())
			var sketches []*Sketch
			for k := range newcomers {
				s, _ := w.sketch(t, k%p.groups)
				sketches = append(sketches, s)
			}
			answers, err := r.Add(sketches, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, a := range answers {
				for l, level := range levels {
					if a.Others[k%p.groups] <= level {
						hits[l]++
					}
				}
			}
		}
		for l, level := range levels {
			if share := hits[l] / (runs * newcomers); share > level*1.1+2*math.Sqrt(level/(runs*newcomers)) {
				t.Errorf("%s: %.4f of the newcomers are rejected at level %g", name, share, level)
			}
		}
	}
}

// TestAssign checks that newcomers join the group to which they belong, that newcomers of unknown groups found clusters, one per
// group, and that no other client moves.
func TestAssign(t *testing.T) {
	for _, name := range []string{"two domains", "styles", "three concepts"} {
		p := federations[name]
		p.images = 200
		p.groups += 2 // the last two are unknown to the roster
		w := newWorld(p, 5)
		w.clients = 10 * p.groups
		known := w.planted.groups - 2
		var sketches []*Sketch
		scatter := mat.NewSymDense(p.d, nil)
		found := &Result{Clusters: make([][]int, known)}
		for i := range 15 * known {
			s, own := w.sketch(t, i%known)
			sketches = append(sketches, s)
			scatter.AddSym(scatter, own)
			found.Clusters[i%known] = append(found.Clusters[i%known], i)
		}
		r, err := NewRoster(Shape{}, sketches, scatter, found, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		before := r.Clone()
		groups := []int{0, known, 1, known + 1, known, 0, known + 1}
		var newcomers []*Sketch
		own := mat.NewSymDense(p.d, nil)
		for _, g := range groups {
			s, scatter := w.sketch(t, g)
			newcomers = append(newcomers, s)
			own.AddSym(own, scatter)
		}
		answers, err := r.Add(newcomers, own)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Clusters) != known+2 || r.Changes != len(groups) || len(r.Sketches) != len(sketches)+len(groups) {
			t.Fatalf("%s: %d clusters after %d changes, want %d: %+v", name, len(r.Clusters), r.Changes, known+2, answers)
		}
		number := map[int]int{known: answers[1].Cluster, known + 1: answers[3].Cluster}
		for k, a := range answers {
			want, founded := groups[k], groups[k] >= known
			if founded {
				want = number[groups[k]]
			}
			if a.Cluster != want || a.Founded != founded || founded != (a.View != "") || len(a.Others) != known {
				t.Errorf("%s: newcomer %d of group %d: %+v, want cluster %d", name, k, groups[k], a, want)
			}
		}
		for z := range known {
			if !reflect.DeepEqual(r.Clusters[z][:15], before.Clusters[z]) {
				t.Errorf("%s: cluster %d had %v and has %v", name, z, before.Clusters[z], r.Clusters[z])
			}
		}
	}
}

// TestAssignByLabels checks that a newcomer with other classes founds a cluster, and that class means which a cluster does not
// have do not reject it.
func TestAssignByLabels(t *testing.T) {
	p := planted{clients: 40, groups: 2, classes: 6, d: 6, images: 100, concentration: 1}
	w := newWorld(p, 3)
	only := func(from, to int) (*Sketch, *mat.SymDense) {
		x, labels := w.client(0)
		for k, l := range labels {
			labels[k] = from + l%(to-from)
		}
		s, scatter, err := NewSketch(x, labels, p.classes, w.random)
		if err != nil {
			t.Fatal(err)
		}
		return s, scatter
	}
	var sketches []*Sketch
	scatter := mat.NewSymDense(p.d, nil)
	for i := range p.clients {
		s, own := only(2*(i%2), 2*(i%2)+2)
		sketches = append(sketches, s)
		scatter.AddSym(scatter, own)
	}
	found, err := Find(sketches, scatter, DefaultOptions())
	if err != nil || len(found.Clusters) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	r, err := NewRoster(Shape{}, sketches, scatter, found, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := only(2, 4)
	b, _ := only(4, 6)
	c, _ := only(4, 6)
	silent := &Sketch{[Halves][]int{make([]int, 6), make([]int, 6)}, [Halves]*mat.Dense{mat.NewDense(6, 6, nil), mat.NewDense(6, 6, nil)}}
	answers, err := r.Add([]*Sketch{a, b, c, silent}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []Assignment{{Cluster: 1}, {Cluster: 2, Founded: true, View: Labels}, {Cluster: 2, Founded: true, View: Labels}, {Cluster: 1, Silent: true}} {
		got := answers[k]
		if got.Cluster != want.Cluster || got.Founded != want.Founded || got.View != want.View || got.Silent != want.Silent {
			t.Errorf("newcomer %d: %+v, want %+v", k, got, want)
		}
	}
	if r.labelOf[2] == r.labelOf[0] || r.labelOf[2] == r.labelOf[1] {
		t.Errorf("the label clusters of the clusters are %v: the founders hold other classes", r.labelOf)
	}
}

// TestLabelModel checks that the probabilities of all count vectors of three images in three classes, multiplied by the number of
// their orders, sum to one for the model and to at most one for the code of a stranger.
func TestLabelModel(t *testing.T) {
	m := newLabelModel([][]float64{{5, 5, 0}, {9, 2, 0}, {0, 0, 0}, {40, 60, 0}, {50, 50, 0}, {60, 80, 0}}, 3)
	q := newStranger([][]float64{{1, 2, 0}, {1, 1, 1}}, []*labelModel{m}, 3)
	model, stranger := 0., 0.
	for a := range 4 {
		for b := range 4 - a {
			x := []float64{float64(a), float64(b), float64(3 - a - b)}
			orders := math.Exp(logGamma(4) - logGamma(x[0]+1) - logGamma(x[1]+1) - logGamma(x[2]+1))
			model += orders * math.Exp(m.logProbability(x))
			stranger += orders * math.Exp(q.logProbability(x))
		}
	}
	if math.Abs(model-1) > 1e-9 {
		t.Errorf("the model's probabilities sum to %g", model)
	}
	if stranger > 1 || stranger < 0.3 {
		t.Errorf("the stranger's probabilities sum to %g", stranger)
	}
	if p := math.Exp(m.ratio([]float64{0, 0, 200}, q)); p > 1e-2 {
		t.Errorf("a client with only another class has p = %g", p)
	}
	if p := math.Exp(m.ratio([]float64{70, 50, 0}, q)); p < 0.5 {
		t.Errorf("a client like the others has p = %g", p)
	}
}
