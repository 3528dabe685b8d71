package groups

import (
	"bytes"
	"encoding/gob"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestRosterChanges checks that the numbers of clients that leave are removed, that a client with new images changes its cluster,
// that no other client moves, and that an empty cluster keeps its number.
func TestRosterChanges(t *testing.T) {
	w := newWorld(federations["two domains"], 8)
	r := w.roster(t, DefaultOptions())
	scatter, freedom := mat.NewSymDense(w.d, nil), r.freedom
	scatter.CopySym(r.Scatter)
	if err := r.Remove(3, 0, 3); err != nil {
		t.Fatal(err)
	}
	if len(r.Sketches) != 28 || !reflect.DeepEqual(r.Clusters[0][:3], []int{1, 2, 4}) || !reflect.DeepEqual(r.Clusters[1][:3], []int{0, 3, 5}) {
		t.Errorf("without clients 0 and 3 the clusters are %v", r.Clusters)
	}
	now := r.ScatterNow()
	now.ScaleSym(freedom/freedomOf(r.Sketches), now)
	if !mat.EqualApprox(now, scatter, 1e-9*mat.Norm(scatter, 1)) {
		t.Error("the scatter of those who stay is not in proportion to their images")
	}
	s, own := w.sketch(t, 1)
	before := r.Clone()
	answers, err := r.Replace([]int{2}, []*Sketch{s}, own)
	if err != nil || answers[0].Cluster != 1 || answers[0].Founded {
		t.Fatalf("client 2 now has images of group 1: %+v, %v", answers, err)
	}
	if want := slices.DeleteFunc(slices.Clone(before.Clusters[0]), func(i int) bool { return i == 2 }); !reflect.DeepEqual(r.Clusters[0], want) {
		t.Errorf("cluster 0 is %v, want %v", r.Clusters[0], want)
	}
	if !slices.Contains(r.Clusters[1], 2) || r.Changes != 1 || r.Sketches[2] != s {
		t.Errorf("client 2 is not in cluster 1: %v", r.Clusters)
	}
	if err := r.Remove(r.Clusters[0]...); err != nil {
		t.Fatal(err)
	}
	if len(r.Clusters) != 2 || len(r.Clusters[0]) != 0 {
		t.Errorf("after cluster 0 has left, the clusters are %v", r.Clusters)
	}
	if s, own = w.sketch(t, 0); own == nil {
		t.Fatal("no scatter")
	}
	answers, err = r.Add([]*Sketch{s}, own)
	if err != nil || answers[0].Cluster != 2 || !math.IsNaN(answers[0].Others[0]) {
		t.Errorf("a newcomer of the group that has left: %+v, %v", answers, err)
	}
	found, err := Find(r.Sketches, r.ScatterNow(), DefaultOptions())
	if err != nil || len(found.Clusters) != 1 && len(found.Clusters) != 2 {
		t.Errorf("the search of the present clients: %v, %v", found, err)
	}
	if _, err := NewRoster(r.Shape, r.Sketches, r.ScatterNow(), found, DefaultOptions()); err != nil {
		t.Error(err)
	}
}

// TestRosterRefuses checks that invalid changes give an error that says what is wrong, and change nothing.
func TestRosterRefuses(t *testing.T) {
	w := newWorld(federations["few clients"], 1)
	r := w.roster(t, DefaultOptions())
	good, own := w.sketch(t, 0)
	other := newWorld(planted{clients: 1, groups: 1, classes: 5, d: 8, images: 20, concentration: 1}, 1)
	foreign, _ := other.sketch(t, 0)
	fewer, _ := newWorld(planted{clients: 1, groups: 1, classes: 4, d: 20, images: 20, concentration: 1}, 1).sketch(t, 0)
	spoilt := &Sketch{good.Counts, [Halves]*mat.Dense{mat.DenseCopyOf(good.Means[0]), good.Means[1]}}
	for c, n := range good.Counts[0] {
		if n > 0 {
			spoilt.Means[0].Set(c, 2, math.Inf(1))
		}
	}
	all := []*Sketch{good, good, good, good, good, good}
	before, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	add := func(s *Sketch, scatter mat.Symmetric) func() error {
		return func() error { _, err := r.Add([]*Sketch{s}, scatter); return err }
	}
	replace := func(clients []int, s []*Sketch) func() error {
		return func() error { _, err := r.Replace(clients, s, own); return err }
	}
	for name, do := range map[string]func() error{
		"there are 5 classes and 20 features":       add(foreign, own),
		"4 classes, but those of the roster have 5": add(fewer, own),
		"has mean +Inf":                                 add(spoilt, own),
		"sent no sketch":                                add(nil, own),
		"scatter matrix has 8 features":                 add(good, mat.NewSymDense(8, nil)),
		"scatter matrix has the entry -1 for feature 0": add(good, mat.NewDiagDense(20, slices.Repeat([]float64{-1}, 20))),
		"client 6 is unknown: the clients are 0 to 5":   replace([]int{6}, all[:1]),
		"client -1":                           replace([]int{-1}, all[:1]),
		"client 1 follows client 1":           replace([]int{1, 1}, all[:2]),
		"there are 1 sketches for 2 clients":  replace([]int{1, 2}, all[:1]),
		"all 6 clients changed":               replace([]int{0, 1, 2, 3, 4, 5}, all),
		"removal: client 9":                   func() error { return r.Remove(9) },
		"all 6 clients are removed: at least": func() error { return r.Remove(0, 1, 2, 3, 4, 5) },
		"have 120 features, but the sketches have 20": func() error {
			_, err := NewRoster(Shape{3, 32, 32}, r.Sketches, r.Scatter, &Result{Clusters: r.Clusters}, DefaultOptions())
			return err
		},
		"client 5 is in no cluster": func() error {
			_, err := NewRoster(Shape{}, r.Sketches, r.Scatter, &Result{Clusters: [][]int{{0, 1, 2, 3, 4}}}, DefaultOptions())
			return err
		},
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if after, err := r.Save(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a change that failed changed the roster (%v)", err)
	}
}

// TestSavedRoster checks that a roster that was saved and read continues bit for bit, and that incomplete data are rejected.
func TestSavedRoster(t *testing.T) {
	w := newWorld(federations["three concepts"], 2)
	r := w.roster(t, DefaultOptions())
	if err := r.Remove(r.Clusters[1]...); err != nil {
		t.Fatal(err)
	}
	raw, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadRoster(raw, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	s, own := w.sketch(t, 2)
	for _, x := range []*Roster{r, read} {
		if _, err := x.Add([]*Sketch{s}, own); err != nil {
			t.Fatal(err)
		}
	}
	first, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	second, err := read.Save()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the roster that was read goes on differently")
	}
	for name, spoil := range map[string]func(s *savedRoster){
		"version 7":                       func(s *savedRoster) { s.Version = 7 },
		"the saved values are incomplete": func(s *savedRoster) { s.Means = s.Means[1:] },
		"half 1 has 1 values":             func(s *savedRoster) { s.Means[2][1] = []float64{1} },
		"has mean NaN":                    func(s *savedRoster) { s.Counts[2][0][1], s.Means[2][0][w.d] = 1, math.NaN() },
		"the metric is 0":                 func(s *savedRoster) { s.Metric[0] = 0 },
		"the noise: it has the entry NaN": func(s *savedRoster) { s.Noise[1] = math.NaN() },
		"the scatter: there are 3 values": func(s *savedRoster) { s.Scatter = s.Scatter[:3] },
		"client 0 is in no":               func(s *savedRoster) { s.Clusters[0] = s.Clusters[0][1:] },
		"has client 99":                   func(s *savedRoster) { s.Clusters[0] = []int{99} },
		"label clusters for 2":            func(s *savedRoster) { s.LabelOf = s.LabelOf[:2] },
		"images of 3 x 9 x 9":             func(s *savedRoster) { s.Shape = Shape{3, 9, 9} },
		"degrees of freedom":              func(s *savedRoster) { s.Freedom = math.NaN() },
		"-1 classes":                      func(s *savedRoster) { s.Classes = -1 },
		"has counts for 4 classes":        func(s *savedRoster) { s.Counts[1][1] = s.Counts[1][1][:4] },
	} {
		var saved savedRoster
		if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&saved); err != nil {
			t.Fatal(err)
		}
		spoil(&saved)
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(saved); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRoster(b.Bytes(), DefaultOptions()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := ReadRoster(raw[:len(raw)/2], DefaultOptions()); err == nil {
		t.Error("half a roster is read")
	}
	if _, err := ReadRoster(nil, DefaultOptions()); err == nil {
		t.Error("nothing is read as a roster")
	}
}
