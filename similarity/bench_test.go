package similarity

import (
	"fmt"
	"testing"

	"feddag/federation/stream"
)

// Everything from sketches to clusters and CC-graph: 10 classes of which a client holds a few, 5 vectors of 784.
func BenchmarkCluster(b *testing.B) {
	for _, n := range []int{200, 1000} {
		sketches, _ := synthetic(n, 5, 10, 784, 5, 1)
		for _, fusion := range []string{"direct", "mlp"} {
			b.Run(fmt.Sprintf("%d/%s", n, fusion), func(b *testing.B) {
				o := DefaultOptions()
				o.Fusion = fusion
				b.ReportAllocs()
				for b.Loop() {
					mustCluster(b, sketches, o)
				}
			})
		}
	}
}

// The parts, of 1,000 clients.
func BenchmarkParts(b *testing.B) {
	sketches, _ := synthetic(1000, 5, 10, 784, 5, 1)
	o := DefaultOptions()
	r := mustCluster(b, sketches, o)
	_, bases, updates, _ := split(sketches)
	for name, part := range map[string]func() error{
		"gradient":  func() error { _, err := GradientAngles(updates); return err },
		"classes":   func() error { _, err := ClassAngles(bases, o); return err },
		"gates":     func() error { _, err := LearnGates(r.GradientScaled, r.DataScaled, o); return err },
		"average":   func() error { _, err := Agglomerate(r.Proximity, "average"); return err },
		"candidate": func() error { _, _, _, err := Loss(r.Proximity, r.Clusters, o); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := part(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPrincipalVectors(b *testing.B) {
	r := stream.New(1, "test")
	for _, size := range []struct{ n, f int }{{100, 784}, {500, 784}, {500, 3072}, {2000, 784}} {
		images := make([][]byte, size.n)
		for k := range images {
			images[k] = make([]byte, size.f)
			for p := range images[k] {
				images[k][p] = byte(r.IntN(256))
			}
		}
		b.Run(fmt.Sprintf("%dx%d", size.f, size.n), func(b *testing.B) {
			for b.Loop() {
				if _, err := PrincipalVectors(images, 5); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
