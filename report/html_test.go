package report

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"feddag/report/plot"
	"feddag/similarity"
	"feddag/similarity/groups"
)

// someRounds is a plausible run, with one round whose loss diverged.
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

func TestHTML(t *testing.T) {
	d, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rounds := someRounds(30)
	plots, err := d.PlotRounds("FedDAG on fashion-mnist, seed 1", rounds, []plot.Format{plot.SVG})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plots {
		raw, err := os.ReadFile(d.Path(p.File()))
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, raw)
		keep(t, strings.ReplaceAll(p.File(), "/", "-"), raw)
	}
	e := NewEnv()
	e.Extra = map[string]string{"OPENBLAS_NUM_THREADS": "1", "evil": "<script>alert(1)</script>"}
	err = d.WriteHTML(Page{
		Title: "FedDAG on fashion-mnist, seed 1 <b>", Summary: someSummary(rounds),
		Config: []Pair{{"rounds", "30", ""}, {"out", "a <dir>", ""}}, Env: e,
		Classes:  []string{"T-shirt", "Trouser", "Pullover"},
		Clusters: []Cluster{{[]int{0, 1, 2, 7}, 12345, []int{6000, 6000, 345, 0}}, {[]int{3}, 5, []int{0, 0, 0, 5}}},
		Plots:    plots, Rounds: rounds,
		Candidates: []similarity.Candidate{{Threshold: 0.9, Clusters: [][]int{{0}}, Loss: 0.6, L1: 0.6}, {Threshold: 0.4, Clusters: [][]int{{0}, {1}}, Loss: 0.1, L1: 0.1, Silhouette: 0.8, Ratio: 3, Chosen: true}},
		Explained:  []groups.Explanation{{A: 0, B: 1, View: groups.Common, Sentence: "they look <different>"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.Path(HTMLFile))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, "report.html", raw)
	for _, want := range []string{"0–2, 7", "Trouser", "adjusted Rand index 1.000", "<svg", "every client", "OPENBLAS_NUM_THREADS", "12,345", "<td>common</td><td>they look &lt;different&gt;</td>"} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("no %q", want)
		}
	}
	for _, never := range []string{"<script", "ZgotmplZ", "NaN", "<b>"} {
		if bytes.Contains(raw, []byte(never)) {
			t.Errorf("has %q", never)
		}
	}
	// Nothing is fetched: the only address is the SVG name space.
	for _, u := range regexp.MustCompile(`https?://[^"'\s]+`).FindAll(raw, -1) {
		if string(u) != "http://www.w3.org/2000/svg" {
			t.Errorf("refers to %s", u)
		}
	}

	if err := d.WriteHTML(Page{}); err != nil {
		t.Errorf("empty page: %v", err)
	}
	if err := d.WriteHTML(Page{Plots: []Plot{{Name: "plots/gone"}}}); err == nil || !strings.Contains(err.Error(), "plots/gone.svg") {
		t.Errorf("missing plot: %v", err)
	}
}
