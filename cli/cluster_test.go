package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// tinyCluster are the flags of a clustering of a few seconds.
func tinyCluster(data, out string, more ...string) []string {
	return append([]string{"cluster", "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2",
		"--labels-per-group", "3", "--device", "cpu", "--out", out}, more...)
}

// tinySimilarity are the flags of such a clustering with the similarity.
func tinySimilarity(data, out string, more ...string) []string {
	return tinyCluster(data, out, append([]string{"--feddag-clustering", "similarity", "--epochs", "1"}, more...)...)
}

// TestClusterFromSketches checks that saved sketches of a run, in a folder or in a file, give the same bits without the data
// set.
func TestClusterFromSketches(t *testing.T) {
	folder := t.TempDir()
	data := mnist(t)
	for _, name := range []string{"sketches", "sketches.npz"} {
		saved := filepath.Join(folder, "saved", name)
		first, second := filepath.Join(folder, "first-"+name), filepath.Join(folder, "second-"+name)
		args := tinySimilarity(data, first, "--save-sketches", saved)
		if code, _, log := feddag(args...); code != exitDone {
			t.Fatal(log)
		}
		code, out, log := feddag("cluster", "--sketches", saved, "--seed", "1", "--out", second, "--compare", "--stability", "3", "--feddag-top-k", "1", "--plots", "png", "--quiet")
		if code != exitDone || log != "" {
			t.Fatalf("exit code %d, %s", code, log)
		}
		for _, file := range []string{"clusters.json", "proximity.npy", "cc-graph.json", "cc-graph.dot", "config.yaml", "env.json", "summary.json",
			"plots/search.png", "plots/proximity.png", "plots/dendrogram.png", "plots/classes.png", "plots/cc-graph.png"} {
			if _, err := os.Stat(filepath.Join(second, file)); err != nil {
				t.Error(err)
			}
		}
		if svg, _ := filepath.Glob(filepath.Join(second, "plots", "*.svg")); len(svg) > 0 {
			t.Errorf("--plots png wrote %v", svg)
		}
		var found [2]struct {
			Clusters  [][]int
			Groups    []int `json:"true_groups"`
			Gates     []float64
			Graph     [][]int
			Validity  map[string]float64
			Stability *struct {
				ARI []float64 `json:"adjusted_rand_index"`
			}
		}
		for k, dir := range []string{first, second} {
			raw, err := os.ReadFile(filepath.Join(dir, "clusters.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &found[k]); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.EqualFunc(found[0].Clusters, found[1].Clusters, slices.Equal) || !slices.Equal(found[0].Groups, found[1].Groups) || !slices.Equal(found[0].Gates, found[1].Gates) {
			t.Errorf("%s: clusters %v and %v", name, found[0].Clusters, found[1].Clusters)
		}
		a, _ := os.ReadFile(filepath.Join(first, "proximity.npy"))
		if b, _ := os.ReadFile(filepath.Join(second, "proximity.npy")); !bytes.Equal(a, b) {
			t.Errorf("%s: another proximity matrix", name)
		}
		if v := found[1].Validity; len(v) != 4 || found[0].Stability != nil || found[1].Stability == nil || len(found[1].Stability.ARI) != 3 {
			t.Errorf("%s: validity %v, stability %v", name, v, found[1].Stability)
		}
		for _, sources := range found[1].Graph {
			if len(sources) > 1 {
				t.Errorf("%s: sources %v with --feddag-top-k 1", name, sources)
			}
		}
		for _, row := range []string{"average    silhouette", "ward       loss", "spectral   eigengap", "adjusted Rand index", "with half of the mask, 3 times"} {
			if !strings.Contains(out, row) {
				t.Errorf("%s: nothing of %q in\n%s", name, row, out)
			}
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var summary struct {
			Clusters, Clients int
			Sketches          string
			PeakRSS           int64 `json:"peak_rss_bytes"`
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil || summary.Clusters != len(found[1].Clusters) || summary.Sketches != saved || summary.PeakRSS <= 0 {
			t.Errorf("last line %s (%v)", lines[len(lines)-1], err)
		}
	}
}

// TestClusterFromFeatureSketches checks that saved feature sketches, in a folder or in a file, give the same bits without the
// data set, that the clustering trains nothing, and that every result says what found the clusters.
func TestClusterFromFeatureSketches(t *testing.T) {
	folder, data := t.TempDir(), mnist(t)
	for _, name := range []string{"sketches", "sketches.npz"} {
		saved := filepath.Join(folder, "saved", name)
		first, second := filepath.Join(folder, "first-"+name), filepath.Join(folder, "second-"+name)
		if code, out, log := feddag(tinyCluster(data, first, "--save-sketches", saved)...); code != exitDone || !strings.Contains(out, ", found by test") {
			t.Fatalf("exit code %d, %s%s", code, out, log)
		}
		code, out, log := feddag("cluster", "--sketches", saved, "--out", second, "--stability", "2", "--feddag-top-k", "1", "--feddag-clustering", "test", "--plots", "png", "--quiet")
		if code != exitDone || log != "" || !strings.Contains(out, "with half of the images, 2 times") || strings.Contains(out, "silhouette") || strings.Contains(out, "NaN") {
			t.Fatalf("exit code %d, %s%s", code, out, log)
		}
		for _, file := range []string{"proximity.npy", "cc-graph.json", "plots/proximity.png", "plots/dendrogram.png", "plots/classes.png", "plots/cc-graph.png"} {
			if _, err := os.Stat(filepath.Join(second, file)); err != nil {
				t.Error(err)
			}
		}
		if _, err := os.Stat(filepath.Join(second, "plots/search.png")); err == nil {
			t.Error("a picture of a search that there was not")
		}
		var found [2]struct {
			Clusters  [][]int
			FoundBy   string `json:"found_by"`
			Stability *struct {
				ARI     []float64 `json:"adjusted_rand_index"`
				Between *float64  `json:"adjusted_rand_index_between"`
			}
		}
		for k, dir := range []string{first, second} {
			if err := json.Unmarshal(mustRead(t, dir, "clusters.json"), &found[k]); err != nil {
				t.Fatal(err)
			}
			var summary struct {
				FoundBy string `json:"found_by"`
			}
			if err := json.Unmarshal(mustRead(t, dir, "summary.json"), &summary); err != nil || summary.FoundBy != "test" || found[k].FoundBy != "test" {
				t.Errorf("%s: found by %q and %q (%v)", dir, summary.FoundBy, found[k].FoundBy, err)
			}
		}
		if !slices.EqualFunc(found[0].Clusters, found[1].Clusters, slices.Equal) || len(found[0].Clusters) == 0 {
			t.Errorf("%s: clusters %v and %v", name, found[0].Clusters, found[1].Clusters)
		}
		if !bytes.Equal(mustRead(t, first, "proximity.npy"), mustRead(t, second, "proximity.npy")) {
			t.Errorf("%s: other distances", name)
		}
		if s := found[1].Stability; found[0].Stability != nil || s == nil || len(s.ARI) != 2 || s.Between == nil {
			t.Errorf("%s: stability %+v", name, s)
		}
		for flag, says := range map[string]string{
			"--feddag-linkage=average": "--feddag-linkage has no effect with --feddag-clustering test",
			"--compare":                "--compare has no effect",
			"--preset=paper":           "are for --feddag-clustering test, not similarity",

			"--feddag-clustering=similarity": "are for --feddag-clustering test, not similarity",
		} {
			if code, _, log := feddag("cluster", "--sketches", saved, "--out", filepath.Join(folder, "refused"), flag); code != exitUsage || !strings.Contains(log, says) {
				t.Errorf("%s: exit code %d: %s", flag, code, log)
			}
		}
	}
}

func TestSpectralFromSketches(t *testing.T) {
	folder := t.TempDir()
	saved, out := filepath.Join(folder, "s.npz"), filepath.Join(folder, "spectral")
	args := tinySimilarity(mnist(t), filepath.Join(folder, "run"), "--save-sketches", saved)
	if code, _, log := feddag(args...); code != exitDone {
		t.Fatal(log)
	}
	if code, _, log := feddag("cluster", "--sketches", saved, "--feddag-method", "spectral", "--out", out); code != exitDone {
		t.Fatal(log)
	}
	if _, err := os.Stat(filepath.Join(out, "plots/dendrogram.svg")); err == nil {
		t.Error("a dendrogram of spectral clustering")
	}
	if raw, _ := os.ReadFile(filepath.Join(out, "clusters.json")); !bytes.Contains(raw, []byte(`"eigenvalues"`)) {
		t.Error("no eigenvalues of spectral clustering")
	}
	scaled := []string{"cluster", "--sketches", saved, "--feddag-scaling", "global", "--out", filepath.Join(folder, "compared")}
	checkFails(t, exitUsage, []string{"--feddag-scaling has no effect with --feddag-method linkage", "cluster --compare"}, scaled...)
	must(t, append(scaled, "--compare")...) // also runs spectral clustering
}

func TestClusterMistakes(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	write(t, file, []byte("hello"))
	out := filepath.Join(folder, "out")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--sketches", filepath.Join(folder, "nowhere")}, exitFailed, "nowhere"},
		{[]string{"--sketches", file}, exitFailed, "neither a folder nor a .npz file"},
		{[]string{"--sketches", folder}, exitFailed, "class_counts"},
		{[]string{"--sketches", file, "--clients", "3"}, exitUsage, "--clients has no effect with --sketches"},
		{[]string{"--sketches", file, "--feddag-diversity", "1"}, exitUsage, "--feddag-diversity has no effect with --sketches"},
		{[]string{"--sketches", file, "--feddag-shift", "1"}, exitUsage, "--feddag-shift has no effect with --sketches"},
		{[]string{"--sketches", file, "--feddag-mask", "0.1"}, exitUsage, "--feddag-mask has no effect"},
		{[]string{"--sketches", file, "--feddag-clustering", "tests"}, exitUsage, "test, similarity"},
		{[]string{"--sketches", file, "--save-sketches", "x"}, exitUsage, "--save-sketches has no effect"},
		{[]string{"--sketches", file, "--feddag-angle", "princpal"}, exitUsage, "pair, principal"},
		{[]string{"--stability", "3"}, exitUsage, "--stability is 3: with --feddag-clustering test the clients send 2 halves"},
		{[]string{"--compare"}, exitUsage, "--compare has no effect with --feddag-clustering test: it is read by --feddag-clustering similarity"},
		{[]string{"--epochs", "1"}, exitUsage, "--epochs has no effect in cluster with --feddag-clustering test, which trains nothing"},
		{[]string{"--feddag-linkage", "average"}, exitUsage, "--feddag-linkage has no effect with --feddag-clustering test"},
		{[]string{"--feddag-clustering", "similarity", "--feddag-warmup-rounds", "0"}, exitUsage, "--feddag-warmup-rounds is 0"},
		{[]string{"--feddag-warmup-rounds", "-1"}, exitUsage, "--feddag-warmup-rounds"},
		{[]string{"--sketches", file, "--algorithm", "fedavg"}, exitUsage, "no clustering"},
		{[]string{"--stability", "-1"}, exitUsage, "--stability"},
		{[]string{"--save-sketches", filepath.Join(file, "below")}, exitFailed, "--save-sketches"},
		{[]string{"--compare=maybe"}, exitUsage, "compare"},
	} {
		code, stdout, log := feddag(append([]string{"cluster", "--out", out}, c.args...)...)
		if code != c.code || !strings.Contains(log, c.says) || stdout != "" {
			t.Errorf("feddag cluster %v: exit code %d, want %d and %q\n%s%s", c.args, code, c.code, c.says, stdout, log)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused clustering left a directory")
	}
	if code, _, log := feddag("train", "--compare"); code != exitUsage || !strings.Contains(log, "--compare") {
		t.Errorf("train --compare: exit code %d, %s", code, log)
	}
}

// TestClusterOddSketches checks that unusual sketches also have tables, files and plots: one client, two clients, equal
// clients, and a client without samples. A value that is not a number is an error that names the client.
func TestClusterOddSketches(t *testing.T) {
	unit := func(at int) *mat.Dense {
		u := mat.NewDense(4, 1, nil)
		u.Set(at, 0, 1)
		return u
	}
	client := func(n, at int, update ...float64) similarity.Sketch {
		return similarity.Sketch{Counts: []int{n, 0}, Bases: []*mat.Dense{unit(at), nil}, Update: update}
	}
	none := similarity.Sketch{Counts: []int{0, 0}, Bases: make([]*mat.Dense, 2), Update: []float64{0, 0}}
	for name, sketches := range map[string][]similarity.Sketch{
		"one":            {client(3, 0, 1, 2)},
		"two":            {client(3, 0, 1, 2), client(1, 1, 2, -1)},
		"equal":          {client(3, 0, 1, 2), client(3, 0, 1, 2), client(3, 0, 1, 2), client(3, 0, 1, 2)},
		"without sample": {client(3, 0, 1, 2), none, client(5, 1, -2, 1)},
		"nobody's":       {none, none, none},
	} {
		for _, method := range similarity.MethodNames {
			folder := t.TempDir()
			path, out := filepath.Join(folder, "s.npz"), filepath.Join(folder, "out")
			if err := similarity.WriteSketches(path, sketches, make([]int, len(sketches))); err != nil {
				t.Fatal(err)
			}
			code, stdout, log := feddag("cluster", "--sketches", path, "--out", out, "--compare", "--stability", "2", "--feddag-method", method)
			if code != exitDone || strings.Contains(stdout, "NaN") || strings.Contains(log, "bug") {
				t.Errorf("%s, %s: exit code %d\n%s%s", name, method, code, stdout, log)
				continue
			}
			plots, _ := filepath.Glob(filepath.Join(out, "plots", "*.svg"))
			if len(plots) < 4 {
				t.Errorf("%s, %s: plots %v", name, method, plots)
			}
			for _, plot := range plots {
				if raw, _ := os.ReadFile(plot); bytes.Contains(raw, []byte("NaN")) || bytes.Contains(raw, []byte("Inf")) {
					t.Errorf("%s, %s: %s has a coordinate that is not a number", name, method, plot)
				}
			}
		}
	}
	folder := t.TempDir()
	if err := similarity.WriteSketches(folder, []similarity.Sketch{client(3, 0, 1, 2), client(3, 1, 1, 2)}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "sparse_updates.npy")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(raw[len(raw)-8:], math.Float64bits(math.NaN()))
	write(t, path, raw)
	if code, _, log := feddag("cluster", "--sketches", folder, "--out", filepath.Join(t.TempDir(), "out")); code != exitFailed || !strings.Contains(log, "client 1: coordinate 1 of its update is NaN") {
		t.Errorf("an update that is not a number: exit code %d, %s", code, log)
	}
}
