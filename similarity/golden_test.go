package similarity

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"feddag/internal/npy"

	"gonum.org/v1/gonum/mat"
)

// shared returns the path of a file of the shared folder: $FEDDAG_SHARED, or ../shared beside the project.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	folder := os.Getenv("FEDDAG_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(append([]string{folder}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no golden data at %s: set FEDDAG_SHARED to the folder that holds golden/", path)
	}
	return path
}

// golden reads one array that the authors' prototype wrote.
func golden(t testing.TB, name string) *npy.Array {
	t.Helper()
	file, err := os.Open(shared(t, "golden", "prototype-fmnist", name+".npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a, err := npy.Read(file, maxElements)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func goldenSymmetric(t testing.TB, name string) *mat.SymDense {
	a := golden(t, name)
	return mat.NewSymDense(a.Shape[0], a.Float64s())
}

// goldenSketches are the prototype's 100 clients.
func goldenSketches(t testing.TB) []Sketch {
	t.Helper()
	counts, _ := golden(t, "class_counts").Ints(math.MinInt, math.MaxInt)
	owners, _ := golden(t, "principal_vectors_owner").Ints(math.MinInt, math.MaxInt) // client, class, rank
	vectors, err := golden(t, "principal_vectors").Matrix()
	if err != nil {
		t.Fatal(err)
	}
	updates, err := golden(t, "sparse_updates").Matrix()
	if err != nil {
		t.Fatal(err)
	}
	n, _ := updates.Dims()
	classes := len(counts) / n
	sketches := make([]Sketch, n)
	for i := range sketches {
		sketches[i] = Sketch{counts[i*classes : (i+1)*classes], make([]*mat.Dense, classes), updates.RawRowView(i)}
	}
	_, f := vectors.Dims()
	for row := 0; row < len(owners)/3; {
		i, c, p := owners[3*row], owners[3*row+1], 1
		for row+p < len(owners)/3 && owners[3*(row+p)] == i && owners[3*(row+p)+1] == c {
			p++
		}
		sketches[i].Bases[c] = mat.DenseCopyOf(vectors.Slice(row, row+p, 0, f).T())
		row += p
	}
	return sketches
}

// farthest returns the largest difference of two matrices.
func farthest(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return max(mat.Max(&d), -mat.Min(&d))
}

func within(t *testing.T, what string, got, want mat.Matrix, tolerance float64) {
	t.Helper()
	d := farthest(got, want)
	t.Logf("%s: largest difference %.2g", what, d)
	if !(d <= tolerance) {
		t.Errorf("%s: off by %g, more than %g", what, d, tolerance)
	}
}

func TestGoldenPrototype(t *testing.T) {
	sketches := goldenSketches(t)
	o := PrototypeOptions()
	o.Fusion = "fixed:0"
	r, err := Cluster(sketches, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "gradient angles (degrees)", r.Gradient, goldenSymmetric(t, "gradient_angles_degrees"), 1e-3)
	within(t, "G^", r.GradientScaled, goldenSymmetric(t, "gradient_normalised"), 1e-6)
	within(t, "V^", r.DataScaled, goldenSymmetric(t, "data_normalised"), 1e-6)

	a, err := Fuse(r.GradientScaled, r.DataScaled, golden(t, "gate_weights").Float64s())
	if err != nil {
		t.Fatal(err)
	}
	within(t, "A", a, goldenSymmetric(t, "proximity"), 1e-6)

	text, err := os.ReadFile(shared(t, "golden", "prototype-fmnist", "clusters.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Clusters [][]int
		Graph    map[string][]int `json:"cc_graph_without_alignment"`
		TopK     int              `json:"top_k"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	choice, err := Search(a, o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(choice.Clusters, want.Clusters, slices.Equal) {
		t.Errorf("clusters %v, the prototype found %v", choice.Clusters, want.Clusters)
	}
	if choice.Threshold != 0.4 {
		t.Errorf("threshold %g, want 0.4", choice.Threshold)
	}
	m, _ := split(sketches)
	_, graph, err := CCGraph(m.counts, r.ClassAngles, choice.Clusters, want.TopK, false)
	if err != nil {
		t.Fatal(err)
	}
	for p, sources := range graph {
		if !slices.Equal(sources, want.Graph[strconv.Itoa(p)]) {
			t.Errorf("sources of cluster %d: %v, the prototype's are %v", p, sources, want.Graph[strconv.Itoa(p)])
		}
	}
}

// TestGoldenPaper checks that under the paper's rules the five label groups are found, with every fusion that can distinguish
// them.
func TestGoldenPaper(t *testing.T) {
	sketches := goldenSketches(t)
	for _, linkage := range []string{"ward", "average"} {
		for _, fusion := range []string{"fixed:0", "direct"} {
			for _, choose := range []string{"silhouette", "bend", "ratio", "loss"} {
				o := DefaultOptions()
				o.Linkage, o.Fusion, o.Choose = linkage, fusion, choose
				r, err := Cluster(sketches, o, nil)
				if err != nil {
					t.Fatal(err)
				}
				what := linkage + ", " + fusion + ", " + choose
				t.Logf("%s: entropy %.6f -> %.6f, %d clusters, threshold %.3f, gates %.3f", what, r.EntropyBefore, r.EntropyAfter, len(r.Clusters), r.Threshold, r.Gates[:6])
				if len(r.Clusters) != 5 {
					t.Errorf("%s: %d clusters, want 5", what, len(r.Clusters))
				}
				if what == "average, fixed:0, loss" {
					want := map[int]float64{1: .628, 2: .515, 3: .324, 4: .223, 5: .086, 7: .269}
					for _, c := range r.Candidates {
						if l, ok := want[len(c.Clusters)]; ok && math.Abs(c.Loss-l) > 6e-4 {
							t.Errorf("loss of %d clusters: %.4f, want %.3f", len(c.Clusters), c.Loss, l)
						}
					}
				}
			}
		}
	}
}

// TestTable19 checks that the published losses of the paper (clipped at 1) give the published numbers of clusters.
func TestTable19(t *testing.T) {
	file, err := os.Open(shared(t, "golden", "paper_table19.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []int{1, 3} {
		var clusters []int
		var losses []float64
		for _, row := range rows[1:] {
			z, _ := strconv.Atoi(row[column])
			loss, _ := strconv.ParseFloat(row[column+1], 64)
			if !slices.Contains(clusters, z) {
				clusters, losses = append(clusters, z), append(losses, loss)
			}
		}
		if z := clusters[LossRatio(losses)]; z != 11 {
			t.Errorf("%s: %d clusters, the paper chose 11", rows[0][column], z)
		}
	}
}
