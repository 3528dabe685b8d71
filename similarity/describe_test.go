package similarity

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestHistogramShift(t *testing.T) {
	for _, c := range []struct {
		old, now []int
		n        int
		w1       float64
	}{
		{[]int{5, 5, 0}, []int{5, 5, 0}, 10, 0},
		{[]int{10, 0, 0}, []int{0, 0, 10}, 10, 20},   // all samples move by two classes
		{[]int{10, 0, 0}, []int{0, 0, 1}, 10, 20},    // shares, not counts
		{[]int{4, 4, 2}, []int{4, 3, 3}, 10, 1},      // one sample moves by one class
		{[]int{0, 0, 7}, []int{7, 0, 0}, 1, 2},       // and two classes back
		{[]int{1, 2, 3, 4}, []int{4, 3, 2, 1}, 5, 5}, // |.1-.4| + |.3-.7| + |.6-.9| = 1
		{[]int{3}, []int{9}, 4, 0},
	} {
		w1, bound, err := HistogramShift(c.old, c.now, c.n)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(w1-c.w1) > 1e-12 {
			t.Errorf("%v to %v: W1 %g, want %g", c.old, c.now, w1, c.w1)
		}
		if want := 0.2 * float64(c.n) / float64(len(c.old)); math.Abs(bound-want) > 1e-12 {
			t.Errorf("%v: bound %g, want %g", c.old, bound, want)
		}
	}
	for want, c := range map[string]struct {
		old, now []int
		n        int
	}{
		"have 1 and 2 classes":         {[]int{1}, []int{1, 2}, 1},
		"have 0 and 0 classes":         {nil, nil, 1},
		"newly processed samples is 0": {[]int{1}, []int{1}, 0},
		"class 1 has -1":               {[]int{1, -1}, []int{1, 1}, 1},
		"without samples":              {[]int{1, 1}, []int{0, 0}, 1},
	} {
		if _, _, err := HistogramShift(c.old, c.now, c.n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestProfiles(t *testing.T) {
	p, err := Profiles([][]int{{1, 9, 0}, {5, 5, 0}, {7, 0, 2}}, [][]int{{0, 2}, {1}})
	if err != nil {
		t.Fatal(err)
	}
	want := ClusterProfile{2, 19, []int{8, 9, 2}, []int{2, 1, 1}}
	if p[0].Clients != want.Clients || p[0].Samples != want.Samples || !slices.Equal(p[0].Classes, want.Classes) || !slices.Equal(p[0].Holders, want.Holders) {
		t.Errorf("profile %+v, want %+v", p[0], want)
	}
	if p[1].Samples != 10 || p[1].Clients != 1 {
		t.Errorf("profile %+v", p[1])
	}
	for want, run := range map[string]func() error{
		"no client":                 func() error { _, err := Profiles(nil, nil); return err },
		"client 1 is in no cluster": func() error { _, err := Profiles([][]int{{1}, {2}}, [][]int{{0}}); return err },
		"client 1 has counts for 2": func() error { _, err := Profiles([][]int{{1}, {2, 3}}, [][]int{{0, 1}}); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestStability checks that clear groups are found again with every mask, and that clusters of noise are not.
func TestStability(t *testing.T) {
	sketches, _ := synthetic(40, 4, 8, 20, 2, 16)
	o := DefaultOptions()
	r := mustCluster(t, sketches, o)
	s, err := Stability(updatesOf(sketches), r, o, 0.5, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Min(s.ARI) != 1 || slices.Min(s.Clusters) < 1-1e-12 || len(s.ARI) != 5 || s.Count[0] != 4 {
		t.Errorf("clear groups: %+v", s)
	}
	again, _ := Stability(updatesOf(sketches), r, o, 0.5, 5, nil)
	if !slices.Equal(again.Clusters, s.Clusters) {
		t.Error("a second measurement differs")
	}

	noise, _ := synthetic(40, 40, 8, 20, 2, 17) // every client is its own group
	o.Fusion, o.Choose = "fixed:1", "count:4"
	r = mustCluster(t, noise, o)
	if s, err = Stability(updatesOf(noise), r, o, 0.5, 10, nil); err != nil {
		t.Fatal(err)
	}
	mean := 0.0
	for _, x := range s.ARI {
		mean += x / 10
	}
	if mean > 0.6 || slices.Min(s.Clusters) > 0.8 {
		t.Errorf("noise: mean ARI %.2f, clusters %.2f", mean, s.Clusters)
	}

	stop := errors.New("enough")
	if _, err := Stability(updatesOf(noise), r, o, 0.5, 3, func(string, int, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	for want, run := range map[string]func() error{
		"the share of the coordinates is 0": func() error { _, err := Stability(updatesOf(noise), r, o, 0, 3, nil); return err },
		"the number of repetitions is 0":    func() error { _, err := Stability(updatesOf(noise), r, o, 0.5, 0, nil); return err },
		"updates do not match":              func() error { _, err := Stability(updatesOf(noise[:9]), r, o, 0.5, 1, nil); return err },
		"no client":                         func() error { _, err := Stability(nil, r, o, 0.5, 1, nil); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func updatesOf(sketches []Sketch) (updates [][]float64) {
	for _, s := range sketches {
		updates = append(updates, s.Update)
	}
	return updates
}
