package similarity

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/stream"
)

// This benchmark measures all steps from sketches to clusters and CC-graph, with 10 classes of which a client holds a few, and 5
// vectors of length 784 per class.
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

// These benchmarks measure the steps for 1,000 clients.
func BenchmarkParts(b *testing.B) {
	sketches, _ := synthetic(1000, 5, 10, 784, 5, 1)
	o := DefaultOptions()
	r := mustCluster(b, sketches, o)
	m, _ := split(sketches)
	for name, part := range map[string]func() error{
		"gradient":  func() error { _, err := GradientAngles(m.updates); return err },
		"classes":   func() error { _, err := ClassAngles(m.bases, o); return err },
		"gates":     func() error { _, err := LearnGates(r.GradientScaled, r.DataScaled, o); return err },
		"linkage":   func() error { _, err := Agglomerate(r.Proximity, "ward"); return err },
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

// This benchmark measures one class of one client: n images of 784 pixels, p = 1% of n.
func BenchmarkPrincipalVectorsOfImages(b *testing.B) {
	images, labels := fashion(b)
	var shirts [][]byte
	for i, c := range labels {
		if c == 6 {
			shirts = append(shirts, images[i])
		}
	}
	for _, n := range []int{200, 600, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := PrincipalVectors(shirts[:n], n/100); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// This benchmark measures the class angles of 1,000 clients that hold 4 of Fashion-MNIST's classes, with 5 vectors of length 784
// per class, with and without the subspace.
func BenchmarkClassAnglesOfImages(b *testing.B) {
	images, labels := fashion(b)
	of := make([][][]byte, 10)
	for n, c := range labels {
		of[c] = append(of[c], images[n])
	}
	r := stream.New(1, "test")
	bases := make([][]*mat.Dense, 1000)
	for i := range bases {
		bases[i] = make([]*mat.Dense, 10)
		for _, c := range r.Perm(10)[:4] {
			own := make([][]byte, 20)
			for k := range own {
				own[k] = of[c][r.IntN(len(of[c]))]
			}
			bases[i][c], _ = PrincipalVectors(own, 5)
		}
	}
	b.Run("bound", func(b *testing.B) {
		for b.Loop() {
			_, _ = ClassAngles(bases, DefaultOptions())
		}
	})
	b.Run("product", func(b *testing.B) {
		for b.Loop() {
			for c := range 10 {
				f := 0
				stack, _, _ := stackBases(bases, c, &f)
				cosines(stack, newBands(nil, stack.RawMatrix().Rows), func(_, _ int, _ *mat.Dense) bool { return true })
			}
		}
	})
}

// fashion reads the Fashion-MNIST training set of Debian's package dataset-fashion-mnist.
func fashion(t testing.TB) (images [][]byte, labels []int) {
	read := func(name string) []byte {
		folder := "/usr/share/datasets/fashion-mnist"
		text, err := os.ReadFile(filepath.Join(folder, name+".gz"))
		if err != nil {
			if text, err = os.ReadFile(filepath.Join(folder, name)); err != nil {
				t.Skipf("no Fashion-MNIST in %s: install dataset-fashion-mnist", folder)
			}
			return text
		}
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		text, err = io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	pixels, classes := read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte")
	for at := 16; at+784 <= len(pixels); at += 784 {
		images = append(images, pixels[at:at+784])
	}
	for _, c := range classes[8:] {
		labels = append(labels, int(c))
	}
	return images, labels
}
