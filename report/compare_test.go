package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"feddag/report/plot"
)

// someCell returns a plausible run whose accuracy converges to level percent.
func someCell(seed int64, level, rise, noise float64, rounds int) Cell {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(1000*level)))
	var lines []Round
	for t := range rounds {
		stat := func(plus, std float64) Stat { return Stat{level*(1-math.Exp(-float64(t+1)/rise)) + plus, std} }
		pre := math.Abs(noise) * r.NormFloat64() * math.Exp(-float64(t)/60)
		lines = append(lines, Round{
			Round: t + 1, TrainLoss: 0.1,
			Pre:        Score{stat(pre, 4), stat(pre+0.5, 4)},
			CohortPre:  Score{stat(pre-1, 5), stat(pre-1, 5)},
			CohortPost: Score{stat(pre+2+r.NormFloat64(), 3), stat(pre+3, 3)},
			BytesUp:    1_000_000 + int64(1000*noise), BytesDown: 2_000_000, Seconds: 2 + r.Float64(), Samples: 120_000,
			Clients: []int{1, 2, 3},
		})
	}
	s := Summary{Algorithm: "x", Dataset: "fashion-mnist", Clusters: 5, Device: "cpu", Precision: "fp32", Seed: seed, BytesUp: 30_000_000, BytesDown: 10_000_000}
	s.Seconds.Warmup, s.Seconds.Clustering = 20, 1
	s.SetRounds(lines)
	s.SetFinalPost(Score{Stat{level + 1, 3}, Stat{level + 1.5, 3}})
	return Cell{Seed: seed, Dir: fmt.Sprintf("x-%d", seed), Page: true, Summary: s, Rounds: lines}
}

// someComparison returns a comparison with more algorithms than in the paper.
func someComparison(t *testing.T, rounds int) *Comparison {
	t.Helper()
	c := &Comparison{
		Dataset: "fashion-mnist", DatasetTitle: "Fashion-MNIST", Partition: "label-skew (groups 5, labels per group 3, concentration 1)", Clients: 100, Rounds: rounds,
		Shared:  []Pair{{Key: "rate", Value: "0.2"}, {Key: "device", Value: "cpu"}, {Key: "epochs", Value: "10"}},
		Missing: []Missing{{"fedbr", 3, fmt.Sprintf("12 of %d rounds", rounds)}},
	}
	for i, v := range []struct {
		name         string
		level, noise float64
	}{
		{"cfl", 85.7, 2}, {"cfl-gp", 94.8, 0.5}, {"fblg", 92, 0.8}, {"fedavg", 62, 6}, {"fedbr", 66, 4}, {"feddag", 97.4, 0.3},
		{"feddag sources=sum schedule=5:1", 96.9, 1.2}, {"feddag-dagger", 96.1, 0.4}, {"feddag-star", 96.6, 0.3}, {"fedgwc", 95.1, 0.9},
		{"fedmix", 64, 5}, {"fedprox", 61, 5}, {"fedrc", 91, 0.7}, {"fedsoft", 89.5, 1}, {"ifca", 95.6, 0.6}, {"local", 93.7, 0.1},
		{"oracle", 97, 0.3}, {"pacfl", 96.2, 0.4}, {"per-fedavg", 78, 3},
	} {
		x := Variant{Name: v.name, Algorithm: strings.Fields(v.name)[0]}
		for seed := int64(1); seed <= 3; seed++ {
			if v.name != "fedbr" || seed < 3 {
				x.Cells = append(x.Cells, someCell(seed, v.level+0.4*float64(seed), 2+float64(i%7), v.noise, rounds))
			}
		}
		c.Variants = append(c.Variants, x)
	}
	c.Variants[12].Cells[0].Summary.PreWith = "a mixture of K models"
	c.Variants[6].Settings = []Pair{{Key: "feddag-schedule", Value: "5:1"}, {Key: "feddag-sources", Value: "sum"}}
	c.Beside = []*Beside{{Name: "paper", Source: "table 10", Values: map[string]Known{
		"feddag": {Mean: 98.36, Std: 0.1}, "pacfl": {Mean: 97.28, Std: 0.24}, "ifca": {Mean: 96.61, Std: math.NaN()}, "fedavg": {Mean: 77.17, Std: 0.24}, "apfl": {Mean: 50},
	}}}
	c.Reference = "feddag"
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPairedDifferenceIsScipys compares with scipy (testdata/make_intervals.py).
func TestPairedDifferenceIsScipys(t *testing.T) {
	raw, err := os.ReadFile("testdata/intervals.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			A, B            []*float64
			Confidence      float64
			N               int
			Mean, Low, High float64
			OwnMean         float64 `json:"a_mean"`
			OwnStd          float64 `json:"a_std"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Cases) < 6 {
		t.Fatal(err, len(file.Cases))
	}
	list := func(p []*float64) (x []float64) {
		for _, v := range p {
			x = append(x, orNaN(v))
		}
		return x
	}
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Max(1, math.Abs(y)) }
	for i, c := range file.Cases {
		d := PairedDifference(list(c.A), list(c.B), c.Confidence)
		if d.N != c.N || !near(d.Mean, c.Mean) || !near(d.Low, c.Low) || !near(d.High, c.High) {
			t.Errorf("case %d: %+v, scipy has n %d, %v [%v, %v]", i, d, c.N, c.Mean, c.Low, c.High)
		}
		if s := NewSpread(list(c.A)); !near(s.Mean, c.OwnMean) || !near(s.Std, c.OwnStd) {
			t.Errorf("case %d: %+v, numpy has %v ± %v", i, s, c.OwnMean, c.OwnStd)
		}
	}
}

func TestFewSeeds(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct{ got, want string }{
		{NewSpread(nil).Text(2), "–"},
		{NewSpread([]float64{nan}).Text(2), "–"},
		{NewSpread([]float64{nan, 4.567}).Text(2), "4.57"},
		{NewSpread([]float64{4, 5}).Text(1), "4.5 ± 0.7"},
		{PairedDifference([]float64{1}, []float64{nan}, 0.95).Text(2), "–"},
		{PairedDifference([]float64{1}, []float64{3}, 0.95).Text(2), "−2.00"},
		{PairedDifference([]float64{5, 7}, []float64{5, 7}, 0.95).Text(2), "+0.00 [+0.00, +0.00]"},
		{signed(-0.001, 2), "+0.00"},
		{signed(-0.006, 2), "−0.01"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if d := PairedDifference([]float64{5, 7}, []float64{5, 7}, 0.95); d.Clear() {
		t.Error("no difference at all leaves 0 out")
	}
	if d := PairedDifference([]float64{5, 7, nan}, []float64{4, 6, 0}, 0.95); !d.Clear() || d.N != 2 {
		t.Errorf("a difference of 1 in every pair: %+v", d)
	}
	if d := PairedDifference([]float64{1}, []float64{3}, 0.95); d.Clear() {
		t.Error("one pair has an interval")
	}
}

// handCell returns a run made by hand: a warm-up with 100 bytes up and 10 s, then three rounds.
func handCell() Cell {
	var rounds []Round
	for i, pre := range []float64{70, math.NaN(), 80} {
		stat := Score{Stat{pre, 1}, Stat{pre, 1}}
		rounds = append(rounds, Round{Round: i + 1, Pre: stat, CohortPre: stat, CohortPost: Score{Stat{85, 1}, Stat{85, 1}}, BytesUp: 10, BytesDown: 20, Seconds: 2, TrainingSamples: 7, ForwardSamples: 1, Clients: []int{0, 3}})
	}
	s := Summary{BytesUp: 100, TrainingSamples: 521, ForwardSamples: 13, Joined: &Joined{Clients: 4, Pre: Score{Balanced: Stat{77, 1}}}}
	s.Seconds.Setup, s.Seconds.Warmup, s.Seconds.Clustering = 50, 8, 2
	s.SetRounds(rounds)
	s.SetFinalPost(Score{Stat{90, 1}, Stat{91, 1}})
	return Cell{Seed: 1, Summary: s, Rounds: rounds}
}

func TestCostOfATarget(t *testing.T) {
	c := handCell()
	for _, x := range []struct {
		target float64
		want   cost
	}{
		{60, cost{1, 130, 12}}, {70, cost{1, 130, 12}}, {70.1, cost{3, 190, 16}}, {80, cost{3, 190, 16}},
	} {
		if got := c.reach(x.target); got != x.want {
			t.Errorf("to %g%%: %+v, want %+v", x.target, got, x.want)
		}
	}
	if got := c.reach(80.1); !math.IsNaN(got.rounds) || !math.IsNaN(got.bytes) || !math.IsNaN(got.seconds) {
		t.Errorf("never reached: %+v", got)
	}
}

func TestCutARun(t *testing.T) {
	whole := handCell()
	if c := whole.Cut(3); finalPost.of(c) != 90 || c.Summary.Seconds.Total != whole.Summary.Seconds.Total {
		t.Error("a cut at the end changes something")
	}
	c := whole.Cut(2)
	if c.Summary.Rounds != 2 || len(c.Rounds) != 2 || c.Summary.BytesUp != 120 || c.Summary.BytesDown != 40 || finalPre.of(c) != 70 || trained.of(c) != 514 || evaluated.of(c) != 12 || perRoundClients.of(c) != 2 {
		t.Errorf("cut to two rounds: %+v", c.Summary)
	}
	if v := finalPost.of(c); !math.IsNaN(v) {
		t.Errorf("after two of three rounds every client after local training is at %g, which was not measured", v)
	}
	if whole.Summary.Rounds != 3 || whole.Summary.BytesUp != 130 {
		t.Error("the whole run was cut too")
	}
	if joinedPre.of(whole) != 77 || joinedClients.of(whole) != 4 || !math.IsNaN(joinedPre.of(c)) {
		t.Error("newcomers")
	}
	if v := last10Post.of(c); v != 85 {
		t.Errorf("last-10 post %g", v)
	}
}

// TestCutClusters checks that a run that is cut has the clusters of its last remaining round, and that a run whose rounds do not
// record any keeps those of its end.
func TestCutClusters(t *testing.T) {
	whole, index := handCell(), 0.5
	whole.Summary.Clusters, whole.Summary.AdjustedRandIndex = 4, &index
	if c := whole.Cut(2); clusterCount.of(c) != 4 || randIndex.of(c) != 0.5 {
		t.Errorf("without clusters in the rounds: %g clusters, index %g", clusterCount.of(c), randIndex.of(c))
	}
	for i := range whole.Rounds {
		n, x := i+2, float64(i)/4
		whole.Rounds[i].Clusters, whole.Rounds[i].AdjustedRandIndex = &n, &x
	}
	if c := whole.Cut(2); clusterCount.of(c) != 3 || randIndex.of(c) != 0.25 {
		t.Errorf("after two rounds: %g clusters, index %g", clusterCount.of(c), randIndex.of(c))
	}
	if clusterCount.of(whole) != 4 || randIndex.of(whole) != 0.5 {
		t.Error("the whole run was cut too")
	}
}

// TestDeviceNamesWithCommas checks that runs on one device whose name has a comma are not said to be on several, and that the page
// lists all devices of an algorithm.
func TestDeviceNamesWithCommas(t *testing.T) {
	c := someComparison(t, 4)
	for _, v := range c.Variants {
		for i := range v.Cells {
			v.Cells[i].Summary.DeviceName = "Intel Xeon Processor (Skylake, IBRS)"
		}
	}
	if c.devicesDiffer() {
		t.Error("one device is said to be several")
	}
	c.Variants[2].Cells[0].Summary.Device, c.Variants[2].Cells[0].Summary.DeviceName = "cuda:0", "H200"
	v, err := c.view()
	if err != nil {
		t.Fatal(err)
	}
	if !c.devicesDiffer() || v.Ranking[0].Device != "cpu" || v.Ranking[2].Device != "cpu, cuda:0" {
		t.Errorf("devices %q and %q", v.Ranking[0].Device, v.Ranking[2].Device)
	}
}

func TestComparisonFiles(t *testing.T) {
	c := someComparison(t, 40)
	dir, err := Make(filepath.Join(t.TempDir(), "new", "c"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // and over the existing values
		if err := dir.WriteComparison(c, []plot.Format{plot.SVG}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		raw, err := os.ReadFile(dir.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, p := range comparePlots {
		raw := read(p.file + ".svg")
		checkSVG(t, raw)
		keep(t, "compare-"+filepath.Base(p.file)+".svg", raw)
		if p.file != "plots/leaders" {
			for _, v := range c.Variants {
				if !bytes.Contains(raw, []byte(">"+v.Name+"</text>")) {
					t.Errorf("%s: the legend lacks %s", p.file, v.Name)
				}
			}
		}
	}
	keep(t, "compare.html", read(CompareHTML))

	// In every format, a table names percent, the split, before or after, and the number of clients.
	for _, name := range []string{CompareMD, CompareTeX, CompareHTML} {
		text := string(read(name))
		for _, must := range []string{"percent", "own test set", "100 clients", "efore local training", "40 rounds", "12 of 40 rounds", "Student", "pre is with a mixture"} {
			if !strings.Contains(text, must) {
				t.Errorf("%s does not say %q", name, must)
			}
		}
	}
	for _, table := range c.Tables() {
		if said := strings.Join(slices.Concat(table.Setting, table.Notes), " "); !strings.Contains(said, "100 clients") || !strings.Contains(said, "Fashion-MNIST") {
			t.Errorf("table %s does not say on what: %s", table.Label, said)
		} else if table.Label != "cost" && (!strings.Contains(said, "percent") || !strings.Contains(said, "test set") || !strings.Contains(said, "efore local training")) {
			t.Errorf("table %s does not say what: %s", table.Label, said)
		}
		for _, row := range table.Rows {
			if len(row) != len(table.Columns) {
				t.Errorf("table %s: %d cells under %d headings", table.Label, len(row), len(table.Columns))
			}
		}
	}
	// In LaTeX, every row has the same number of columns.
	for _, line := range strings.Split(string(read(CompareTeX)), "\n") {
		if strings.HasPrefix(line, "feddag &") && !strings.HasSuffix(line, `\\`) {
			t.Errorf("a row without its end: %s", line)
		}
	}
	checkCompareCSV(t, c, read(CompareCSV))

	rows, err := csv.NewReader(bytes.NewReader(read(RunsCSV))).ReadAll()
	if err != nil || len(rows) != 1+3*len(c.Variants)-1 {
		t.Errorf("%s: %d lines (%v)", RunsCSV, len(rows), err)
	}
	var sum CompareSummary
	if err := json.Unmarshal(read(CompareJSON), &sum); err != nil || len(sum.Algorithms) != len(c.Variants) || sum.Reference != "feddag" || len(sum.Missing) != 1 {
		t.Errorf("%s: %v, %+v", CompareJSON, err, sum)
	}
}

// checkCompareCSV computes the aggregated CSV again from the runs, for one algorithm and measure.
func checkCompareCSV(t *testing.T, c *Comparison, raw []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) != 1+len(c.Variants) {
		t.Fatalf("%s: %d lines (%v)", CompareCSV, len(rows), err)
	}
	at := func(row int, column string) float64 {
		i := slices.Index(rows[0], column)
		if i < 0 {
			t.Fatalf("no column %s", column)
		}
		v, err := strconv.ParseFloat(rows[row][i], 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	one, reference := slices.IndexFunc(c.Variants, func(v Variant) bool { return v.Name == "ifca" }), 5
	var x, d []float64
	for i, cell := range c.Variants[one].Cells {
		x = append(x, cell.Summary.Final.Pre.Balanced.Mean)
		d = append(d, x[i]-c.Variants[reference].Cells[i].Summary.Final.Pre.Balanced.Mean)
	}
	mean := (d[0] + d[1] + d[2]) / 3
	std := math.Sqrt(((d[0]-mean)*(d[0]-mean) + (d[1]-mean)*(d[1]-mean) + (d[2]-mean)*(d[2]-mean)) / 2)
	half := 4.302652729749464 * std / math.Sqrt(3) // t_{2, 0.975}
	for column, want := range map[string]float64{
		"final_pre_mean": (x[0] + x[1] + x[2]) / 3, "final_pre_n": 3, "final_pre_difference_mean": mean,
		"final_pre_difference_low": mean - half, "final_pre_difference_high": mean + half,
	} {
		if got := at(1+one, column); math.Abs(got-want) > 1e-5 {
			t.Errorf("%s: %v, want %v", column, got, want)
		}
	}
	if got := at(1+4, "final_pre_difference_n"); got != 2 {
		t.Errorf("fedbr has two seeds, its differences %v", got)
	}
	if got := at(1+reference, "final_pre_difference_mean"); got != 0 {
		t.Errorf("the reference differs from itself by %v", got)
	}
}

func TestSettle(t *testing.T) {
	c := someComparison(t, 40)
	if !slices.Equal(c.Targets, []float64{95}) || c.Confidence != 0.95 {
		t.Errorf("targets %v, confidence %v", c.Targets, c.Confidence)
	}
	c.Reference = "fedavgg"
	if err := c.Settle(); err == nil || !strings.Contains(err.Error(), "fedavgg") {
		t.Errorf("an unknown reference: %v", err)
	}
	c.Reference, c.Confidence = "", 1
	if err := c.Settle(); err == nil {
		t.Error("a confidence of 1")
	}
	if err := (&Comparison{}).Settle(); err == nil {
		t.Error("no runs")
	}
	// One run of one round, without a comparison and without measured accuracies.
	blank := Cell{Seed: 7, Rounds: []Round{{Pre: NoScore, CohortPre: NoScore, CohortPost: NoScore}}}
	blank.Summary.SetRounds(blank.Rounds)
	c = &Comparison{Clients: 1, Rounds: 1, Variants: []Variant{{Name: `a|b_%&<"`, Cells: []Cell{blank}}}}
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	dir, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteComparison(c, nil); err != nil {
		t.Fatal(err)
	}
	if c.Text() == "" {
		t.Error("no text")
	}
}

func TestEscaping(t *testing.T) {
	table := Table{Title: "50% of a_b", Columns: headings("x|y", "n & m"), Rows: [][]TableCell{{{Text: "α ± −1", Bold: true}, {Text: "1_2*", Link: "a b/<c>"}}}}
	if got := table.LaTeX(); !strings.Contains(got, `50\% of a\_b`) || !strings.Contains(got, `\textbf{$\alpha$ $\pm$ $-$1}`) || !strings.Contains(got, `n \& m`) {
		t.Error(got)
	}
	if got := table.Markdown(); !strings.Contains(got, `| x\|y | n & m |`) || !strings.Contains(got, `[1\_2\*](<a b/%3Cc%3E>)`) || !strings.Contains(got, "**α ± −1**") {
		t.Error(got)
	}
}

func TestReadBeside(t *testing.T) {
	settings := map[string]string{"dataset": "fashion-mnist", "partition": "label-skew", "concentration": "1", "rate": "0.2"}
	const good = "# a comment\nsource,dataset,concentration,algorithm,mean,std,over\ntable 10,fashion-mnist,1.0,feddag,98.36,0.1,\ntable 10,fashion-mnist,0.25,feddag,92.72,0.13,\n" +
		"table 4,mnist | fashion-mnist,,ifca,96.61,,\ntable 10,cifar10,1,fedavg,1,1,\ntable 13,fashion-mnist,1,feddag,96.84,0.23,joined\n"
	path := filepath.Join(t.TempDir(), "paper.csv")
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put(good)
	all, err := ReadBeside(path, settings)
	if err != nil || len(all) != 2 {
		t.Fatal(err, all)
	}
	if j := all[1]; !j.Joined || all[0].Joined || len(j.Values) != 1 || j.Values["feddag"].Mean != 96.84 || j.title() != "paper, table 13" {
		t.Errorf("of newcomers %+v", j)
	}
	b := all[0]
	if len(b.Values) != 2 || b.Values["feddag"].Mean != 98.36 || b.Values["feddag"].Std != 0.1 || !math.IsNaN(b.Values["ifca"].Std) || b.title() != "paper, table 10, table 4" {
		t.Errorf("%+v", b)
	}
	settings["dataset"] = "svhn"
	if b, err := ReadBeside(path, settings); len(b) > 0 || err != nil {
		t.Errorf("no row of this setting: %+v, %v", b, err)
	}
	settings["dataset"] = "fashion-mnist"
	for text, says := range map[string]string{
		"":                                     "empty",
		"algorithm,accuracy\nx,1\n":            `"mean"`,
		"algorithm,mean,concentratio\nx,1,2\n": `"concentratio"`,
		"algorithm,mean,mean\nx,1,2\n":         "two columns",
		"algorithm,mean\nx,high\n":             "line 2",
		"algorithm,mean\nx,nan\n":              "line 2",
		"algorithm,mean,std\nx,1,inf\n":        "line 2",
		"algorithm,mean\nx,1\ny,1\nx,2\n":      "after line 2",
		"algorithm,mean,over\nx,1,all\n":       "neither empty nor joined",
		"algorithm,mean\nx,1,3\n":              "line 2",
	} {
		put(text)
		if _, err := ReadBeside(path, settings); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
	if _, err := ReadBeside(filepath.Join(t.TempDir(), "none.csv"), settings); err == nil || !strings.Contains(err.Error(), "none.csv") {
		t.Error(err)
	}
}

// TestBesideRanks checks the ranks among algorithms that have both results, and the sentences about ranks that differ.
func TestBesideRanks(t *testing.T) {
	cell := func(pre, post float64) Cell {
		c := handCell()
		c.Summary.Final.Pre.Balanced.Mean = pre
		c.Summary.SetFinalPost(Score{Balanced: Stat{Mean: post}})
		return c
	}
	c := &Comparison{Clients: 2, Rounds: 3, Beside: []*Beside{{Name: "paper", Values: map[string]Known{"a": {Mean: 90}, "b": {Mean: 80}, "c": {Mean: 70}, "gone": {Mean: 1}}}}}
	for name, x := range map[string][2]float64{"a": {80, 91}, "b": {85, 90}, "c": {60, 89}, "mine": {99, 99}} {
		c.Variants = append(c.Variants, Variant{Name: name, Cells: []Cell{cell(x[0], x[1])}})
	}
	slices.SortFunc(c.Variants, func(a, b Variant) int { return strings.Compare(a.Name, b.Name) })
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	table := c.besideTable(c.Beside[0])
	var got []string
	for _, row := range table.Rows {
		line := []string{row[0].Text, row[3].Text, row[5].Text, row[7].Text, row[8].Text, row[9].Text}
		if row[3].Bold {
			line = append(line, "differs")
		}
		got = append(got, strings.Join(line, " "))
	}
	want := []string{"a 2 1 1 −10.00 +1.00 differs", "b 1 2 2 +5.00 +10.00 differs", "c 3 3 3 −10.00 +19.00", "mine – – – – –"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	wantAfter := []string{
		"a: rank 2 of 3 by final pre, 1 in paper.", "b: rank 1 of 3 by final pre, 2 in paper.", "In paper but not among these runs: gone (1.00).",
	}
	if !slices.Equal(table.After, wantAfter) {
		t.Errorf("%q", table.After)
	}
}

// TestComparePage checks that the rows of the page are sorted by accuracy, that the setting occurs once, and that devices are
// marked if they differ.
func TestComparePage(t *testing.T) {
	c := someComparison(t, 40)
	v, err := c.Ranked().view()
	if err != nil {
		t.Fatal(err)
	}
	last := math.Inf(1)
	for _, row := range v.Tables[0].Rows {
		mean, err := strconv.ParseFloat(strings.Fields(row[2].Text)[0], 64)
		if err != nil || mean > last {
			t.Errorf("%s with %s stands below %g (%v)", row[0].Text, row[2].Text, last, err)
		}
		last = mean
	}
	if len(v.Ranking) != len(c.Variants) || v.Ranking[0].Name != v.Tables[0].Rows[0][0].Text || len(v.Curves) != 1 || len(v.Folded) != 3 {
		t.Errorf("%+v, %d curves and %d folded", v.Ranking, len(v.Curves), len(v.Folded))
	}
	dir, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func() string {
		if err := dir.writeComparePage(c); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(dir.Path(CompareHTML))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if n := strings.Count(write(), c.where()); n != 1 {
		t.Errorf("the setting stands %d times in the page", n)
	}
	if page := write(); strings.Contains(page, ">device</th>") {
		t.Error("devices are named though all are alike")
	}
	c.Variants[2].Cells[0].Summary.Device, c.Variants[2].Cells[0].Summary.DeviceName = "cuda:0", "H200"
	page := write()
	for _, want := range []string{">device</th>", ">cpu, cuda:0 (H200)</td>", "cannot be compared", `<span class="tag">cpu, cuda:0</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestUpperPartOfFewAlgorithms checks that the page shows the upper part only if the upper half has several lines.
func TestUpperPartOfFewAlgorithms(t *testing.T) {
	for n, want := range map[int]int{3: 3, 4: 4} {
		c := someComparison(t, 40)
		c.Variants = c.Variants[:n]
		v, err := c.Ranked().view()
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Curves) != want {
			t.Errorf("%d algorithms have %d charts, want %d", n, len(v.Curves), want)
		}
	}
}

func TestMillions(t *testing.T) {
	for v, want := range map[float64]string{12410: "12,410", 0: "0", 123456: "123,456", 999999.4: "999,999", 999999.6: "1.00 M", 2.5e7: "25.00 M", math.NaN(): "–"} {
		if got := millions(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

// TestEqualColumnsAreTestedOnce checks that the differences of runs of one round, in which last-10 pre is final pre, have one
// column for both, and that longer runs have both columns.
func TestEqualColumnsAreTestedOnce(t *testing.T) {
	for rounds, want := range map[int][]string{
		1:  {"algorithm", "n", "final pre", "final post", "last-10 post"},
		12: {"algorithm", "n", "final pre", "final post", "last-10 pre", "last-10 post"},
	} {
		var got []string
		for _, column := range someComparison(t, rounds).differenceTable().Columns {
			got = append(got, column.Heading)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d rounds: columns %v, want %v", rounds, got, want)
		}
	}
}
