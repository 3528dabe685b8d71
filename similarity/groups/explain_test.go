package groups

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// TestExplain checks the views, the numbers and the sentences of planted clusters.
func TestExplain(t *testing.T) {
	concepts, domains := federations["three concepts"], federations["two domains"]
	domains.skew = 0
	one := domains
	one.domain = 0
	both := concepts
	both.domain = 3
	shares := planted{clients: 20, groups: 2, classes: 4, d: 4, images: 100, concentration: 20}
	for _, x := range []struct {
		name     string
		p        planted
		view     View
		sentence string
	}{
		{"concepts", concepts, Concept, "clusters 0 and 1 name the same images differently: class 0 of 0 is class 4 of 1, 1 is 0, 2 is 1 and 2 more (p = "},
		{"concepts and domains", both, Concept, "clusters 0 and 1 name the classes differently, and their images look different, too: class "},
		{"concepts and contrast", concepts, Concept, "clusters 0 and 1 name the classes differently, and their images look different, too: class 0 of 0 is class 4 of 1, 1 is 0, 2 is 1 and 2 more (p = "},
		{"domains", domains, Common, "the same classes look different in clusters 0 and 1, all in the same way: they are "},
		{"own ways", one, ClassWise, "the same classes look different in clusters 0 and 1, each in its own way, most of all "},
		{"nothing", one, "", "a test does not tell clusters 0 and 1 apart (p = "},
		{"labels", shares, Labels, "clusters 0 and 1 hold other classes: only 0 holds 0, 1; only 1 holds 2, 3 ("},
		{"shares", shares, Labels, "clusters 0 and 1 hold other shares of the classes, most of all of class 0: "},
	} {
		w := newWorld(x.p, 6)
		r := w.roster(t, DefaultOptions())
		if x.name == "concepts and contrast" {
			for _, i := range r.Clusters[1] {
				for _, means := range r.Sketches[i].Means {
					means.Scale(4, means)
				}
			}
		}
		if x.name == "own ways" {
			for i, s := range r.Sketches {
				for h := range Halves {
					for c := range x.p.classes {
						s.Means[h].Set(c, c, s.Means[h].At(c, c)+float64(i%2))
					}
				}
			}
		}
		if x.view == Labels {
			for i, s := range r.Sketches {
				for h := range Halves {
					for c := range s.Counts[h] {
						switch {
						case x.name == "labels" && c/2 != i%2:
							s.Counts[h][c] = 0
						case x.name == "shares" && c == 0 && i%2 == 1:
							s.Counts[h][c] = 20 * s.Counts[h][c]
						}
					}
				}
			}
			r.labelOf = []int{0, 1}
		}
		all := r.Explanations(nil)
		if k := len(r.Clusters); len(all) != k*(k-1)/2 {
			t.Fatalf("%s: %d explanations", x.name, len(all))
		}
		got := all[0]
		if got.A != 0 || got.B != 1 || got.View != x.view || !strings.HasPrefix(got.Sentence, x.sentence) {
			t.Errorf("%s: %+v", x.name, got)
		}
		if (got.View == "") != (got.P > 1e-3) || (got.View == Labels) != (got.Nats > 10) {
			t.Errorf("%s: p = %g, %g nats", x.name, got.P, got.Nats)
		}
		share := 0.
		for k, c := range got.Classes {
			share += c.Share
			if k > 0 && c.Share > got.Classes[k-1].Share {
				t.Errorf("%s: the classes are %v", x.name, got.Classes)
			}
		}
		if share < 0.9 || share > 1+1e-9 {
			t.Errorf("%s: the classes %v have %g of the separation", x.name, got.Classes, share)
		}
		if gain := r.labelGain(0, 1); x.name == "nothing" && gain != 0 {
			t.Errorf("the labels of clusters of one distribution are %g nats apart", gain)
		}
		if text, err := json.Marshal(all); err != nil || !strings.Contains(string(text), `"sentence":`) {
			t.Errorf("%s: %s, %v", x.name, text, err)
		}
		if x.name == "concepts" && len(got.Renamed) != x.p.classes {
			t.Errorf("concepts: %+v", got.Renamed)
		}
		if x.name == "shares" && got.Classes[0].Class != 0 {
			t.Errorf("shares: %+v", got.Classes)
		}
	}
	r := newWorld(concepts, 6).roster(t, DefaultOptions())
	for _, x := range r.Explanations([]string{"coat", "shoe", "2"}) {
		if !strings.Contains(x.Sentence, "class 0 (coat) of") || !strings.Contains(x.Sentence, ", 1 (shoe) is ") {
			t.Errorf("classes with names: %s", x.Sentence)
		}
	}
	if err := r.Remove(r.Clusters[1]...); err != nil {
		t.Fatal(err)
	}
	if all := r.Explanations(nil); len(all) != 1 || all[0].B != 2 {
		t.Errorf("without cluster 1: %+v", all)
	}
}

// TestListOfClasses checks that a sentence about many classes names three and counts the others.
func TestListOfClasses(t *testing.T) {
	names := classNames{"coat", "shoe", "2", "bag", "belt"}
	for want, classes := range map[string][]int{
		"0 (coat)":                         {0},
		"0 (coat), 1 (shoe), 2":            {0, 1, 2},
		"0 (coat), 1 (shoe), 2 and 1 more": {0, 1, 2, 3},
		"4 (belt), 3 (bag), 2 and 2 more":  {4, 3, 2, 1, 0},
	} {
		if got := names.list(classes); got != want {
			t.Errorf("the list of %v is %q, want %q", classes, got, want)
		}
	}
}

// TestExplainedDistance checks the planted distance between two domains, which is one unit of noise in one direction.
func TestExplainedDistance(t *testing.T) {
	p := planted{clients: 40, groups: 2, classes: 3, d: 6, images: 200, gap: 2, concentration: 2, domain: 1.5}
	w := newWorld(p, 4)
	r := w.roster(t, DefaultOptions())
	x := r.Explanations(nil)[0]
	// The features are a linear map of independent ones with variance 1, which the metric undoes.
	gap := slices.Clone(w.domain[0])
	axpy(-1, w.domain[1], gap)
	scale(p.domain, gap)
	if want := math.Sqrt(dot(gap, gap)); math.Abs(x.Distance-want) > 0.05*want {
		t.Errorf("the domains are %g apart, want %g", x.Distance, want)
	}
	for _, c := range x.Classes {
		if want := math.Sqrt(dot(gap, gap)); math.Abs(c.Distance-want) > 0.1*want {
			t.Errorf("class %d is %g apart, want %g", c.Class, c.Distance, want)
		}
	}
}

// TestExplainEqualShares checks the sentence about clusters whose members together hold equal shares of the classes: all clients of
// one cluster hold these shares, and those of the other hold shares of their own.
func TestExplainEqualShares(t *testing.T) {
	const clients, images, d = 160, 320, 2
	random := stream.New(1, "test: equal shares")
	scatter := mat.NewSymDense(d, nil)
	var sketches []*Sketch
	for i := range clients {
		first := images / 2 // images of class 0
		if i%2 == 1 {
			first = 2 * i // images / 2 on average
		}
		features, labels := mat.NewDense(images, d, nil), make([]int, images)
		for k := range images {
			if k >= first {
				labels[k] = 1
			}
			for f := range d {
				features.Set(k, f, random.NormFloat64()+float64(labels[k]))
			}
		}
		s, own, err := NewSketch(features, labels, 2, random)
		if err != nil {
			t.Fatal(err)
		}
		sketches = append(sketches, s)
		scatter.AddSym(scatter, own)
	}
	found := &Result{Clusters: [][]int{nil, nil}}
	for i := range clients {
		found.Clusters[i%2] = append(found.Clusters[i%2], i)
	}
	found.LabelClusters = found.Clusters
	r, err := NewRoster(Shape{}, sketches, scatter, found, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Explanations(nil) {
		if x.View != Labels || len(x.Classes) > 0 || x.Nats < 10 || !strings.Contains(x.Sentence, "hold the same shares of the classes, but") {
			t.Errorf("%+v", x)
		}
	}
}
