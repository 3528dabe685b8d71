package report

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/federation"
	"feddag/report/plot"
	"feddag/similarity"
	"feddag/similarity/groups"
)

// someRounds returns the rounds of a plausible run, one of which has a diverged loss.
func someRounds(n int) []Round {
	r := rand.New(rand.NewPCG(3, 4))
	var rounds []Round
	for t := range n {
		base := 94 - 30*math.Exp(-float64(t)/4) + r.NormFloat64()
		stat := func(plus, std float64) Stat { return Stat{base + plus, std + r.Float64()} }
		rounds = append(rounds, Round{
			Round: t + 1, TrainLoss: 0.1 + math.Exp(-float64(t)/5),
			Pre:        Score{stat(0, 4), stat(0.7, 4)},
			CohortPre:  Score{stat(r.NormFloat64(), 5), stat(0.5, 5)},
			CohortPost: Score{stat(2+r.NormFloat64(), 3), stat(3, 3)},
			BytesUp:    12_345_678, BytesDown: 23_456_789, Seconds: 9 + r.Float64(), Samples: 123_456,
			Clients: []int{1, 2, 3, 17, 40, 41, 99},
		})
	}
	if n > 3 {
		rounds[3].TrainLoss = math.NaN()
	}
	return rounds
}

func someSummary(rounds []Round) Summary {
	ari := 1.0
	s := Summary{
		Algorithm: "feddag", Dataset: "fashion-mnist", Clusters: 5, AdjustedRandIndex: &ari,
		BytesUp: 5_000_000, BytesDown: 17_000_000,
		Seconds:      Seconds{Setup: 1.2, Warmup: 31.4, Clustering: 0.8, Total: 333.3},
		PeakRSSBytes: PeakRSS(), Device: "cpu", Precision: "float32", Seed: 1,
	}
	s.SetRounds(rounds)
	return s
}

// somePage writes the report of a plausible run to a run directory, and returns its path.
func somePage(t *testing.T, rounds []Round) string {
	t.Helper()
	d, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PlotRounds("FedDAG on fashion-mnist, seed 1", rounds, []plot.Format{plot.SVG}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plots/accuracy.svg", "plots/cohort.svg", "plots/loss.svg"} {
		raw, err := os.ReadFile(d.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, raw)
		keep(t, strings.ReplaceAll(name, "/", "-"), raw)
	}
	someClustering(t, d)
	if err := d.WriteClients(someClients()); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteConfusion([][]int{{90, 10, 0}, {0, 100, 0}, {40, 0, 60}}); err != nil {
		t.Fatal(err)
	}
	e := NewEnv()
	e.Command = []string{"feddag", "train", "--label", "a b"}
	e.Extra = map[string]string{"OPENBLAS_NUM_THREADS": "1", "data file 0": "train.gz", "evil": "<script>alert(1)</script>"}
	err = d.WriteHTML(Page{
		Title: "FedDAG on fashion-mnist, seed 1 <b>", Summary: someSummary(rounds),
		Config: []Pair{{"rounds", "30", ""}, {"out", "a <dir>", ""}}, Env: e,
		Classes:  []string{"T-shirt", "Trouser", "Pullover"},
		Clusters: []Cluster{{[]int{0, 1, 2, 7}, 12345, []int{6000, 6000, 345, 0}}, {[]int{3}, 5, []int{0, 0, 0, 5}}},
		Rounds:   rounds,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.Path(HTMLFile)
}

func TestHTML(t *testing.T) {
	raw, err := os.ReadFile(somePage(t, someRounds(30)))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, "report.html", raw)
	for _, want := range []string{
		"0–2, 7", "Trouser", "adjusted Rand index 1.000", "<svg", "every client", "OPENBLAS_NUM_THREADS", "12,345",
		"<td>common</td><td class=\"text\">they look &lt;different&gt;</td>", "<dt>data file 1</dt><dd>train.gz</dd>", "Similar images: clusters 0 and 1 hold similar images.", "worst tenth", "Most frequent mistakes", "40.0%",
		"feddag train --label &#39;a b&#39;", "Swing: ", "prefers-color-scheme: dark",
		"at the end of the run; adjusted Rand index 1.000 against the true groups (1: equal, 0: chance)", "balanced accuracy of the clients sampled in the last round, after their training",
	} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("no %q", want)
		}
	}
	for _, never := range []string{"<script", "ZgotmplZ", "NaN", "<b>b", "extra."} {
		if bytes.Contains(regexp.MustCompile(`url\(data:[^)]*\)`).ReplaceAll(raw, nil), []byte(never)) {
			t.Errorf("has %q", never)
		}
	}
	// The page loads nothing: its only address is the SVG name space.
	for _, u := range regexp.MustCompile(`https?://[^"'\s]+`).FindAll(raw, -1) {
		if string(u) != "http://www.w3.org/2000/svg" {
			t.Errorf("refers to %s", u)
		}
	}

	empty, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.WriteHTML(Page{}); err != nil {
		t.Errorf("empty page: %v", err)
	}
	// A damaged file is an error that names it.
	for _, name := range []string{ClustersFile, ClientsFile, ConfusionFile} {
		if err := os.WriteFile(empty.Path(name), []byte("\"{"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := empty.WriteHTML(Page{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is broken: %v", name, err)
		}
		if err := os.Remove(empty.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// someClients returns 25 clients in two clusters, of which the first three have the lowest accuracy.
func someClients() []Client {
	var clients []Client
	for i := range 25 {
		x := 60 + float64(i)
		clients = append(clients, Client{
			Client: i, Group: -1, Cluster: i % 2, TrainSamples: 100 + i, TestSamples: 10,
			Pre: ClientScore{x, x}, Post: ClientScore{x + 5, x + 5}, BestPre: ClientScore{x, x}, BestPost: NoClientScore,
		})
	}
	return clients
}

// someClustering writes the files of a clustering by tests to a run directory, with a sentence about what separates two
// clusters.
func someClustering(t *testing.T, d *Dir) {
	t.Helper()
	file := clustersJSON{Clusters: [][]int{{0, 1, 2, 7}, {3, 4, 5, 6}}, FoundBy: similarity.FoundByTest, Explained: []groups.Explanation{{A: 0, B: 1, View: groups.Common, Sentence: "they look <different>"}}, Like: &LikeImages{Clusters: [][]int{{0, 1}}}}
	if err := d.WriteJSON(ClustersFile, file); err != nil {
		t.Fatal(err)
	}
	a := mat.NewSymDense(8, nil)
	for i := range 8 {
		for j := range i {
			a.SetSym(i, j, float64(i+j))
		}
	}
	if err := d.WriteNPY(proximityFile, a); err != nil {
		t.Fatal(err)
	}
	graph := ccGraphJSON{Nodes: []ccNodeJSON{{0, 4, 100, []int{1, 2}}, {1, 4, 100, []int{0, 3}}}, Edges: []ccEdgeJSON{{1, 0, 2.5}}}
	if err := d.WriteJSON(ccGraphFile, graph); err != nil {
		t.Fatal(err)
	}
}

// TestReadClients checks that clients.csv is read as it was written, and that a file of an earlier version with fewer columns
// can be read.
func TestReadClients(t *testing.T) {
	d, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := someClients()
	if err := d.WriteClients(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadClients()
	if err != nil || len(got) != len(want) || got[7].Pre != want[7].Pre || got[7].Cluster != 1 || got[7].Group != -1 || got[7].TrainSamples != 107 || !math.IsNaN(got[7].BestPost.Balanced) {
		t.Errorf("%v, %+v", err, got)
	}
	if err := os.WriteFile(d.Path(ClientsFile), []byte("client,pre_balanced_accuracy\n4,\n5,12.5\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadClients(); err != nil || len(got) != 2 || got[1].Pre.Balanced != 12.5 || !math.IsNaN(got[0].Pre.Balanced) || got[0].Cluster != -1 {
		t.Errorf("%v, %+v", err, got)
	}
	if err := os.WriteFile(d.Path(ClientsFile), []byte("client,cluster\n4,1\n5,x\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadClients(); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a cluster x: %v", err)
	}
}

func TestWorstTenth(t *testing.T) {
	clients := someClients()
	clients[20].Pre.Balanced, clients[24].Pre = 3, NoClientScore
	worst := worstTenth(clients)
	if len(worst) != 3 || worst[0].Client != 20 || worst[1].Client != 0 || worst[2].Client != 1 {
		t.Errorf("%+v", worst)
	}
	if worst := worstTenth([]Client{{Pre: NoClientScore}}); len(worst) != 0 {
		t.Errorf("of nobody: %+v", worst)
	}
}

func TestEnvironmentPairs(t *testing.T) {
	pairs, command, err := environmentPairs(Env{Go: "go1", Command: []string{"./feddag", "train", "--label", "it's", ""}, Extra: map[string]string{"data file 0": "a.gz", "data hash": "x"}})
	if err != nil || command != `./feddag train --label 'it'\''s' ''` {
		t.Errorf("%v, %s", err, command)
	}
	for _, want := range []Pair{{Key: "Go", Value: "go1"}, {Key: "data file 1", Value: "a.gz"}, {Key: "data hash", Value: "x"}} {
		if !slices.Contains(pairs, want) {
			t.Errorf("no %v in %v", want, pairs)
		}
	}
}

// TestSearchTitles checks that the titles of a scenario's searches are different.
func TestSearchTitles(t *testing.T) {
	d, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	someClustering(t, d)
	titles := func(assignments []Assignment) (titles []string) {
		v, err := d.view(Page{Assignments: assignments})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range v.Searches {
			titles = append(titles, s.Title)
		}
		return titles
	}
	if got := titles(nil); !slices.Equal(got, []string{"How the clusters were found"}) {
		t.Errorf("%q", got)
	}
	someClustering(t, d.Sub("search-10"))
	someClustering(t, d.Sub("search-3"))
	got := titles([]Assignment{{Round: 3, Why: federation.BySearch}, {Round: 10, Why: federation.BySearch}})
	if !slices.Equal(got, []string{"The first search for the clusters, before round 1", "The search for the clusters before round 3", "The search for the clusters before round 10"}) {
		t.Errorf("%q", got)
	}
}
