package groups

import "testing"

// TestNames checks the view that is named: what moves all classes alike is common, what moves them against each other is a concept,
// whichever view is the surest.
func TestNames(t *testing.T) {
	for name, x := range map[string]struct {
		shift func(i, c int) float64
		want  View
	}{
		"domain":          {func(i, c int) float64 { return float64(i % 2) }, Common},
		"mostly a domain": {func(i, c int) float64 { return float64(i%2) * (1 + float64(c)/4) }, Common},
		"names":           {func(i, c int) float64 { return float64(i%2) * float64(c-1) }, Concept},
		"mostly names":    {func(i, c int) float64 { return float64(i%2) * (2*float64(c-1) + 0.5) }, Concept},
		"one class":       {func(i, c int) float64 { return float64(i%2) * float64(max(c-1, 0)) }, Concept},
	} {
		sketches, scatter := drawClients(t, 24, 3, 6, 200, 0, x.shift)
		r, err := Find(sketches, scatter, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Clusters) != 2 {
			t.Fatalf("%s: the clusters are %v", name, r.Clusters)
		}
		if s, err := r.Separation(1, 0); err != nil || s.A != 0 || s.B != 1 || s.View != x.want || !(s.P < 1e-6) {
			t.Errorf("%s: %+v, %v, want %s", name, s, err, x.want)
		}
	}
}
