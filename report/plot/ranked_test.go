package plot

import (
	"fmt"
	"strings"
	"testing"
)

func TestRanked(t *testing.T) {
	for name, c := range map[string]RankedChart{
		"none":  {Title: "none", Strong: -1},
		"point": {Title: "point", Series: []Series{{Name: "one", X: []float64{1}, Y: []float64{50}}}},
		"flat":  {Title: "flat", Strong: -1, Series: []Series{{Name: "flat", X: []float64{1, 2}, Y: []float64{100, 100}}}},
		"cut": {Title: "cut", Low: 80, High: 90, Strong: 1, Series: []Series{{Name: "under", X: []float64{1, 2}, Y: []float64{10, 20}},
			{Name: "through <", X: []float64{1, 2}, Y: []float64{70, 95}, Low: []float64{60, 94}, High: []float64{75, 99}}}},
	} {
		f, err := Ranked(c)
		if err != nil {
			t.Fatal(err)
		}
		svg := render(t, f, "ranked-"+name)
		if name == "cut" && strings.Contains(svg, "under") {
			t.Error("a line that is nowhere in the range is in the legend")
		}
		if name == "cut" && !strings.Contains(svg, ">95.0</text>") {
			t.Error("the legend lacks the last value")
		}
	}
	bad := RankedChart{Title: "bad", Series: []Series{{Name: "ragged", X: []float64{1, 2}, Y: []float64{1}}}}
	if _, err := Ranked(bad); err == nil || !strings.Contains(err.Error(), "ragged") {
		t.Error(err)
	}
}

// TestRankedLooks checks that every line has a different style, and that the legend is sorted by the last value.
func TestRankedLooks(t *testing.T) {
	c := RankedChart{Title: "many", Strong: 3}
	for i := range 20 {
		c.Series = append(c.Series, Series{Name: fmt.Sprintf("series %02d", i), X: []float64{0, 1}, Y: []float64{50, float64(i)}})
	}
	looks := map[string]bool{}
	for i := range c.Series {
		line, dashes := c.look(i)
		looks[fmt.Sprint(line, dashes)] = true
	}
	if len(looks) != len(c.Series) {
		t.Errorf("%d looks for %d lines", len(looks), len(c.Series))
	}
	f, err := Ranked(c)
	if err != nil {
		t.Fatal(err)
	}
	svg := render(t, f, "ranked-many")
	if first, last := strings.Index(svg, ">series 19<"), strings.Index(svg, ">series 00<"); first < 0 || last < first {
		t.Error("the legend is not sorted by the last value")
	}
}
