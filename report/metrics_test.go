package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/internal/numfmt"
)

func appendAll(t *testing.T, d *Dir, rounds []Round) {
	t.Helper()
	for _, r := range rounds {
		if err := d.AppendMetrics(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMetricsRoundTrip(t *testing.T) {
	d := create(t)
	if got, err := d.ReadMetrics(); err != nil || len(got) != 0 {
		t.Errorf("before the first round: %v, %v", got, err)
	}
	if err := d.TruncateMetrics(3); err != nil {
		t.Error(err)
	}
	in := someRounds(6)
	in[2].Pre = NoScore
	in[4].TrainLoss = math.Inf(1)
	appendAll(t, d, in)
	raw := text(t, d, MetricsFile)
	if strings.Count(raw, "\n") != 6 || strings.Contains(raw, "NaN") || !strings.Contains(raw, `"train_loss":null`) {
		t.Errorf("got\n%s", raw)
	}
	out, err := d.ReadMetrics()
	if err != nil {
		t.Fatal(err)
	}
	in[4].TrainLoss = math.NaN() // JSON has no infinity
	// NaN is unequal to itself, but prints the same.
	if fmt.Sprint(out) != fmt.Sprint(in) {
		t.Errorf("got  %v\nwant %v", out, in)
	}
	if !math.IsNaN(out[2].Pre.Balanced.Mean) {
		t.Error("null came back as a number")
	}
}

func TestTruncateMetrics(t *testing.T) {
	rounds := someRounds(5)
	var lines []string
	for _, r := range rounds {
		raw, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(raw)+"\n")
	}
	all := strings.Join(lines, "")
	for _, c := range []struct {
		name, file string
		rounds     int
		want       string
	}{
		{"all", all, 5, all},
		{"more", all, 9, all},
		{"none", all, 0, ""},
		{"some", all, 3, lines[0] + lines[1] + lines[2]},
		{"half-written", all + lines[0][:40], 5, all},
		{"zeros", all + "\x00\x00\x00\x00", 5, all},
		{"no newline", strings.TrimSuffix(all, "\n"), 5, all},
		{"not an object of ours", all + "{}\n", 5, all},
		{"only half", lines[0][:3], 5, ""},
		{"empty", "", 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := create(t)
			put(t, d, MetricsFile, c.file)
			if err := d.TruncateMetrics(c.rounds); err != nil {
				t.Fatal(err)
			}
			if got := text(t, d, MetricsFile); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			// The run continues from there.
			if err := d.AppendMetrics(Round{Round: 7}); err != nil {
				t.Fatal(err)
			}
			got, err := d.ReadMetrics()
			if err != nil || len(got) != strings.Count(c.want, "\n")+1 {
				t.Errorf("%d rounds, %v", len(got), err)
			}
			if n := names(t, d); len(n) != 1 {
				t.Errorf("left behind: %v", n)
			}
		})
	}

	d := create(t)
	put(t, d, MetricsFile, lines[0]+"{broken\n"+lines[1])
	want(t, d.TruncateMetrics(5), MetricsFile, "line 2")
	_, err := d.ReadMetrics()
	want(t, err, MetricsFile, "line 2")
	if !strings.Contains(text(t, d, MetricsFile), "broken") {
		t.Error("a file that is not understood was changed")
	}
	put(t, d, MetricsFile, `{"version":2,"round":1,"train_loss":"much"}`+"\n"+lines[1])
	_, err = d.ReadMetrics()
	want(t, err, MetricsFile, "line 1")
	put(t, d, MetricsFile, `{"version":3,"round":1}`)
	_, err = d.ReadMetrics()
	want(t, err, MetricsFile, "line 1", "version 3 is unknown")
}

// TestRoundsOfEarlierProgram checks that the rounds in a run directory that counts them from 0 are read as numbers from 1,
// and that a resume converts the files.
func TestRoundsOfEarlierProgram(t *testing.T) {
	d := create(t)
	put(t, d, MetricsFile, `{"round":0,"train_loss":3}`+"\n"+`{"round":1,"train_loss":2}`+"\n"+`{"round":2,"train_loss":1}`+"\n")
	put(t, d, AssignmentsFile, `{"round":0,"client":1,"from":null,"to":0,"why":"start"}`+"\n"+`{"round":0,"client":1,"from":0,"to":1,"why":"round"}`+"\n"+
		`{"round":2,"client":1,"from":1,"to":null,"why":"leave"}`+"\n")
	check := func(rounds, moves []int) {
		t.Helper()
		lines, err := d.ReadMetrics()
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.ReadAssignments()
		if err != nil {
			t.Fatal(err)
		}
		var gotRounds, gotMoves []int
		for _, r := range lines {
			gotRounds = append(gotRounds, r.Round)
		}
		for _, a := range list {
			gotMoves = append(gotMoves, a.Round)
		}
		if !slices.Equal(gotRounds, rounds) || !slices.Equal(gotMoves, moves) {
			t.Errorf("rounds %v and %v, want %v and %v", gotRounds, gotMoves, rounds, moves)
		}
	}
	check([]int{1, 2, 3}, []int{0, 1, 3})
	if err := d.TruncateMetrics(2); err != nil {
		t.Fatal(err)
	}
	check([]int{1, 2}, []int{0, 1})
	if got := text(t, d, MetricsFile); got != `{"version":2,"round":1,"train_loss":3}`+"\n"+`{"version":2,"round":2,"train_loss":2}`+"\n" {
		t.Errorf("after a resume:\n%s", got)
	}
	if err := d.TruncateMetrics(0); err != nil {
		t.Fatal(err)
	}
	check(nil, nil)
}

func TestHalfWrittenLineIsLeftOut(t *testing.T) {
	d := create(t)
	appendAll(t, d, someRounds(2))
	put(t, d, MetricsFile, text(t, d, MetricsFile)+`{"version":2,"round":3,"tra`)
	got, err := d.ReadMetrics()
	if err != nil || len(got) != 2 {
		t.Errorf("%d rounds, %v", len(got), err)
	}
}

func TestSummary(t *testing.T) {
	var rounds []Round
	for i := range 12 {
		v := float64(i)
		rounds = append(rounds, Round{Round: i + 1, BytesUp: 1, BytesDown: 2, Samples: 10, Seconds: []float64{1, 2, 9}[i%3],
			Pre:        Score{Stat{90 - v, 2}, Stat{80 + v, 1}},
			CohortPost: Score{Stat{70, v}, Stat{60, 0}}})
	}
	rounds[11].Pre = NoScore // not measured in every round
	var s Summary
	s.BytesUp = 100
	s.SetRounds(rounds)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"rounds", float64(s.Rounds), 12},
		{"final pre", s.Final.Pre.Balanced.Mean, 80},
		{"best pre", s.Best.Pre.Balanced.Mean, 90},
		{"best plain", s.Best.Pre.Accuracy.Mean, 90},
		{"last10 pre", s.Last10.Pre.Balanced.Mean, 84},
		{"last10 pre std", s.Last10.Pre.Balanced.Std, 2},
		{"last10 post std", s.Last10.Post.Balanced.Std, 6.5},
		{"Swing", float64(s.Swing), math.Sqrt(60.0 / 9)},
		{"up", float64(s.BytesUp), 112},
		{"down", float64(s.BytesDown), 24},
		{"median", s.SecondsPerRound, 2},
		{"rate", s.SamplesPerSecond, 120.0 / 48},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}

	d := create(t)
	if err := d.WriteSummary(s); err != nil {
		t.Fatal(err)
	}
	back, err := d.ReadSummary()
	if err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("got %+v, %v", back, err)
	}

	// The keys on which scripts rely.
	line, err := someSummary(someRounds(3)).JSON()
	if err != nil || strings.Contains(line, "\n") {
		t.Fatalf("%q, %v", line, err)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"algorithm", "dataset", "rounds", "clusters", "bytes_up", "bytes_down", "seconds_per_round", "samples_per_second", "peak_rss_bytes",
		"device", "precision", "seed", "swing", "adjusted_rand_index",
		"final.pre.balanced_accuracy.mean", "best.post.accuracy.std", "last10.pre.accuracy.mean",
		"seconds.setup", "seconds.warmup", "seconds.clustering", "seconds.rounds", "seconds.total",
	} {
		var v any = m
		for key := range strings.SplitSeq(path, ".") {
			in, _ := v.(map[string]any)
			v = in[key]
		}
		if v == nil {
			t.Errorf("no %s in %s", path, line)
		}
	}
	if _, err := (Summary{}).JSON(); err != nil {
		t.Error(err)
	}
	var none Summary
	none.SetRounds(nil)
	if line, err := none.JSON(); err != nil || !strings.Contains(line, `"mean":null`) || strings.Contains(line, "adjusted") {
		t.Errorf("no rounds: %s, %v", line, err)
	}
	_ = none.Table()
}

func TestTable(t *testing.T) {
	table := someSummary(someRounds(30)).Table()
	for _, w := range []string{"final round", "best round", "mean of last 10", "before local training", "after local training", "every client", "sampled clients", "1.000", "Swing", "median", "on cpu", "float32"} {
		if !strings.Contains(table, w) {
			t.Errorf("no %q in\n%s", w, table)
		}
	}
	if os.Getenv("FEDDAG_TEST_PLOTS") != "" {
		t.Log("\n" + table)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{numfmt.Bytes(999_999), "1.00 MB"}, {numfmt.Bytes(370_000_000), "370 MB"}, {numfmt.Bytes(5_000_000_000), "5.00 GB"},
		{duration(0.0123), "12 ms"}, {duration(9.33), "9.3 s"}, {duration(42.4), "42 s"}, {duration(333.3), "5 min 33 s"}, {duration(7261), "2 h 01 min"}, {duration(math.NaN()), "–"},
		{numfmt.Thousands(0), "0"}, {numfmt.Thousands(1234567), "1,234,567"}, {numfmt.Thousands(-123456), "-123,456"}, {numfmt.Thousands(999), "999"},
		{ranges([]int{9, 1, 2, 3, 7}), "1–3, 7, 9"}, {ranges(nil), ""}, {numfmt.Count(1, "round"), "1 round"}, {numfmt.Count(0, "round"), "0 rounds"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestSamplesPerSecond checks that the samples per second are computed from the training time, or from the whole time if a
// round does not have its training time.
func TestSamplesPerSecond(t *testing.T) {
	rounds := []Round{{Samples: 100, Seconds: 10, TrainingSeconds: 4}, {Samples: 50, Seconds: 5, TrainingSeconds: 1}}
	if rate, overall := SamplesPerSecond(rounds); rate != 30 || overall {
		t.Errorf("%g, %v", rate, overall)
	}
	rounds[1].TrainingSeconds = 0
	if rate, overall := SamplesPerSecond(rounds); rate != 10 || !overall {
		t.Errorf("%g, %v", rate, overall)
	}
	if rate, _ := SamplesPerSecond(nil); rate != 0 {
		t.Errorf("no rounds: %g", rate)
	}
}
