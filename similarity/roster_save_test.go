package similarity

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestRosterSaved checks that a roster that was saved and read again gives the same bits as the first one.
func TestRosterSaved(t *testing.T) {
	sketches, truth := synthetic(44, 4, 8, 40, 3, 1)
	for _, linkage := range LinkageNames {
		o := DefaultOptions()
		o.Linkage = linkage
		r := hold(t, sketches, 36, o)
		var first []int // all members of one cluster, which is then empty
		for i, g := range truth[:36] {
			if g == truth[0] {
				first = append(first, i)
			}
		}
		if err := r.Remove(first...); err != nil {
			t.Fatal(err)
		}
		raw, err := r.Save()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadRoster(raw, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Roster{r, again} {
			if _, err := x.Add(sketches[36:]); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Replace([]int{1, 3}, sketches[2:4]); err != nil {
				t.Fatal(err)
			}
		}
		sameOldEntries(t, linkage, r, again, len(r.Sketches))
		h1, g1, err1 := r.CCGraph()
		h2, g2, err2 := again.CCGraph()
		if err1 != nil || err2 != nil || !slices.EqualFunc(g1, g2, slices.Equal[[]int]) || !slices.Equal(h1.RawMatrix().Data, h2.RawMatrix().Data) {
			t.Errorf("%s: another CC-graph: %v and %v (%v, %v)", linkage, g1, g2, err1, err2)
		}
		a, err1 := r.Save()
		b, err2 := again.Save()
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: the two are saved differently (%v, %v)", linkage, err1, err2)
		}
	}
}

func TestRosterHalfSaved(t *testing.T) {
	sketches, _ := synthetic(10, 2, 4, 20, 2, 3)
	raw, err := hold(t, sketches, 10, DefaultOptions()).Save()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, len(raw) / 2, len(raw) - 1} {
		if _, err := ReadRoster(raw[:n], DefaultOptions()); err == nil || !strings.Contains(err.Error(), "roster") {
			t.Errorf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}
