package groups

import (
	"fmt"
	"testing"
)

// BenchmarkRoster measures the operations of the server on a roster of clients with colour images: d = 120 features and ten
// classes.
func BenchmarkRoster(b *testing.B) {
	for _, clients := range []int{100, 1000} {
		p := planted{clients: clients, groups: 3, classes: 10, d: 120, images: 60, gap: 2, concentration: 1, concept: true}
		w := newWorld(p, 1)
		r := w.roster(b, DefaultOptions())
		newcomer, _ := w.sketch(b, 1)
		for _, x := range []struct {
			name string
			do   func() error
		}{
			{"Add", func() error { _, err := r.Clone().Add([]*Sketch{newcomer}, nil); return err }},
			{"Changed", func() error { _, err := r.Changed(0, newcomer); return err }},
			{"CCGraph", func() error { _, _, err := r.CCGraph(2); return err }},
			{"Bodies", func() error { r.Bodies(); return nil }},
			{"Explanations", func() error { r.Explanations(nil); return nil }},
			{"Distances", func() error { _, err := r.Distances(nil); return err }},
			{"Save", func() error { _, err := r.Save(); return err }},
		} {
			b.Run(fmt.Sprintf("%s/%d", x.name, clients), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := x.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
