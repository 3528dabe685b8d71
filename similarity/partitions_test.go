package similarity

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/federation/stream"
)

// TestPartitions counts how often the choice rules find exactly the true groups of fresh Fashion-MNIST partitions, by
// data angles alone, and what they answer where there are no groups. It takes half a minute per kind and seed: FEDDAG_SLOW is the
// number of seeds.
func TestPartitions(t *testing.T) {
	if os.Getenv("FEDDAG_SLOW") == "" {
		t.Skip("set FEDDAG_SLOW=5 (seeds) to measure the choice rules on Fashion-MNIST")
	}
	images, labels := fashion(t)
	type kind struct {
		name string
		draw func(r *rand.Rand) (owner func(label int) int, truth []int)
	}
	const clients = 100
	kinds := []kind{}
	for _, labelsEach := range []int{2, 3} {
		for _, concentration := range []float64{0.25, 1} {
			kinds = append(kinds, kind{fmt.Sprintf("I %d labels, concentration %g", labelsEach, concentration), func(r *rand.Rand) (func(int) int, []int) {
				return skew(r, groupLabels(r, labelsEach), clients, concentration)
			}})
		}
	}
	kinds = append(kinds, kind{"V pairs", func(r *rand.Rand) (func(int) int, []int) {
		return skew(r, pairs(r, 11), clients, 1)
	}})
	for _, concentration := range []float64{0.1, 0.5, 1, 100} {
		kinds = append(kinds, kind{fmt.Sprintf("no groups, concentration %g", concentration), func(r *rand.Rand) (func(int) int, []int) {
			all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
			return skew(r, [][]int{all}, clients, concentration)
		}})
	}
	seeds, err := strconv.Atoi(os.Getenv("FEDDAG_SLOW"))
	if err != nil {
		t.Fatalf("FEDDAG_SLOW is the number of seeds: %v", err)
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			exact := map[string]int{}
			for seed := range seeds {
				r := stream.New(uint64(seed), k.name)
				owner, truth := k.draw(r)
				held := make([][][][]byte, clients)
				for i := range held {
					held[i] = make([][][]byte, 10)
				}
				for n, image := range images {
					i, c := owner(labels[n]), labels[n]
					held[i][c] = append(held[i][c], image)
				}
				sketches := make([]Sketch, clients)
				for i := range sketches {
					s := Sketch{make([]int, 10), make([]*mat.Dense, 10), []float64{1}}
					for c, own := range held[i] {
						if s.Counts[c] = len(own); len(own) == 0 {
							continue
						}
						u, err := PrincipalVectors(own[:min(len(own), 300)], Count{fraction: 0.01}.Of(len(own)))
						if err != nil {
							t.Fatal(err)
						}
						s.Bases[c] = u
					}
					sketches[i] = s
				}
				for _, linkage := range []string{"average", "complete", "spectral"} {
					for _, choose := range []string{"silhouette", "ratio", "loss"} {
						o := DefaultOptions()
						o.Fusion, o.Choose, o.Linkage = "fixed:0", choose, linkage
						if linkage == "spectral" {
							if choose == "ratio" {
								continue
							}
							o.Method, o.Linkage = "spectral", "average"
						}
						res, err := Cluster(sketches, o)
						if err != nil {
							t.Fatal(err)
						}
						score, _ := AdjustedRandIndex(Labels(res.Clusters, clients), truth)
						if score == 1 {
							exact[linkage+" "+choose]++
						}
						best := 0.0
						ratio := 0.0
						for _, c := range res.Candidates {
							best = max(best, c.Silhouette)
							ratio = max(ratio, c.Ratio)
						}
						chosen := res.Candidates[slices.IndexFunc(res.Candidates, func(c Candidate) bool { return c.Chosen })]
						sizes := make([]int, len(res.Clusters))
						for z := range sizes {
							sizes[z] = len(res.Clusters[z])
						}
						t.Logf("%s, seed %d, %s, %s: %d true groups, clusters of %v, ARI %.3f, silhouette %.3f (highest %.3f), even %.3f, ratio %.2f (%.2f)", k.name, seed, linkage, choose, 1+slices.Max(truth), sizes, score, chosen.Silhouette, best, chosen.Even, chosen.Ratio, ratio)
					}
				}
			}
			t.Logf("%s: exact in %v of %d", k.name, exact, seeds)
		})
	}
}

func groupLabels(r *rand.Rand, each int) [][]int {
	order := r.Perm(10)
	var g [][]int
	for z := range 5 {
		var own []int
		for k := range each {
			at := z*each + k
			if at < 10 {
				own = append(own, order[at])
				continue
			}
			for c := r.IntN(10); ; c = r.IntN(10) {
				fresh := true
				for _, x := range own {
					fresh = fresh && x != c
				}
				if fresh {
					own = append(own, c)
					break
				}
			}
		}
		g = append(g, own)
	}
	return g
}

func pairs(r *rand.Rand, n int) [][]int {
	seen := map[[2]int]bool{}
	var g [][]int
	for len(g) < n {
		a, b := r.IntN(10), r.IntN(10)
		if a < b && !seen[[2]int{a, b}] {
			seen[[2]int{a, b}] = true
			g = append(g, []int{a, b})
		}
	}
	return g
}

// skew puts clients in groups at random and draws every label's shares over its holders by Dirichlet(concentration),
// at least one sample each.
func skew(r *rand.Rand, groupLabels [][]int, clients int, concentration float64) (owner func(label int) int, truth []int) {
	truth = make([]int, clients)
	for i := range truth {
		truth[i] = r.IntN(len(groupLabels))
	}
	shares := make([][]float64, 10) // cumulative, of each label over clients
	first := make([][]int, 10)      // holders that have no sample yet
	for c := range shares {
		total := 0.0
		shares[c] = make([]float64, clients)
		for i := range clients {
			for _, held := range groupLabels[truth[i]] {
				if held == c {
					total += gamma(r, concentration)
					first[c] = append(first[c], i)
				}
			}
			shares[c][i] = total
		}
	}
	return func(label int) int {
		if waiting := first[label]; len(waiting) > 0 {
			first[label] = waiting[1:]
			return waiting[0]
		}
		s := shares[label]
		x := r.Float64() * s[clients-1]
		for i, edge := range s {
			if x < edge {
				return i
			}
		}
		return clients - 1
	}, truth
}

// gamma draws from Gamma(shape, 1) (Marsaglia and Tsang).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// fashion reads the Fashion-MNIST training set where Debian's dataset-fashion-mnist puts it.
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
