package groups

import (
	"fmt"
	"testing"

	"feddag/internal/stream"
)

// BenchmarkFind finds three concepts among clients with 40 features (grey) and ten classes.
func BenchmarkFind(b *testing.B) {
	for _, clients := range []int{100, 1000} {
		sketches, scatter := drawClients(b, clients, 10, 40, 100, 0, func(i, c int) float64 { return float64((i % 3) * (c % 3)) })
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := Find(sketches, scatter, DefaultOptions())
				if err != nil || len(r.Clusters) != 3 {
					b.Fatalf("%d clusters, %v", len(r.Clusters), err)
				}
			}
		})
	}
}

// BenchmarkLabelClusters merges the label clusters of clients whose class counts are Dirichlet multinomials.
func BenchmarkLabelClusters(b *testing.B) {
	for _, clients := range []int{100, 1000} {
		sketches, _ := drawClients(b, clients, 10, 1, 100, 0, func(i, c int) float64 { return 0 })
		counts := make([][]float64, clients)
		for i, s := range sketches {
			for c := range 10 {
				counts[i] = append(counts[i], float64(s.Counts[0][c]+s.Counts[1][c]))
			}
		}
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			for b.Loop() {
				labelClusters(counts, len(counts), 40, 0.001)
			}
		})
	}
}

// BenchmarkFeatures computes the features of one colour image of 32 x 32 pixels.
func BenchmarkFeatures(b *testing.B) {
	e, err := NewExtractor(3, 32, 32)
	if err != nil {
		b.Fatal(err)
	}
	random, pixels, out := stream.New(1, "test"), make([]byte, 3*32*32), make([]float64, e.Len())
	for p := range pixels {
		pixels[p] = byte(random.IntN(256))
	}
	for b.Loop() {
		if err := e.Features(pixels, out); err != nil {
			b.Fatal(err)
		}
	}
}
