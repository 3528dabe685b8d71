package report

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestHolm compares with values computed by hand. Three differences of four pairs with means 4, 3 and 1 and standard error 1
// have the p-values 0.0281, 0.0577 and 0.391 (scipy: 2*t.sf(x, 3)). At a confidence of 90%, Holm's levels are 0.1/3, 0.1/2
// and 0.1/1, and the second p-value is not below its level. Therefore only the first difference is clear, and the third
// interval has the level of the second.
func TestHolm(t *testing.T) {
	const confidence = 0.9
	of := func(mean float64) Difference {
		const half = 2.3533634348018264 // t_{3, 0.95}
		return Difference{N: 4, Mean: mean, Low: mean - half, High: mean + half}
	}
	d := []Difference{of(1), of(4), {N: 1, Mean: 9, Low: math.NaN(), High: math.NaN()}, of(-3)}
	if !d[3].Clear() {
		t.Fatal("by itself the difference of -3 is not clear, so that the test shows nothing")
	}
	correctHolm([]*Difference{&d[0], &d[1], &d[2], &d[3]}, confidence)
	for i, want := range []float64{3.182446305284263, 3.7404897493201, math.NaN(), 3.182446305284263} { // t_{3, 1-0.05/2}, t_{3, 1-0.1/6}
		if got := d[i].High - d[i].Mean; math.Abs(got-want) > 1e-3 || math.IsNaN(want) != math.IsNaN(got) {
			t.Errorf("difference %d: half an interval of %g, want %g", i, got, want)
		}
	}
	for i, clear := range []bool{false, true, false, false} {
		if d[i].Clear() != clear {
			t.Errorf("difference %d: %+v, clear %v", i, d[i], d[i].Clear())
		}
	}
	same := []Difference{{N: 3, Mean: 2, Low: 2, High: 2}, {N: 3, Mean: 0, Low: 0, High: 0}} // differences without spread
	correctHolm([]*Difference{&same[0], &same[1]}, confidence)
	if !same[0].Clear() || same[1].Clear() {
		t.Errorf("without spread: %+v", same)
	}
}

// TestCorrectionIsNamed checks that the tables say whether their intervals are corrected.
func TestCorrectionIsNamed(t *testing.T) {
	c := someComparison(t, 40)
	for _, want := range []string{"corrected by Holm's method for the 72 intervals of this table", "each by itself, not corrected"} {
		text := c.differenceTable().Markdown()
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
		c.Uncorrected = true
	}
}

// TestOneSeedHasNoIntervals checks that the tables of a single seed say what intervals need, and do not explain marks that
// they do not have.
func TestOneSeedHasNoIntervals(t *testing.T) {
	c := someComparison(t, 40)
	for i := range c.Variants {
		c.Variants[i].Cells = c.Variants[i].Cells[:1]
	}
	for _, table := range []Table{c.differenceTable(), c.sampleTable()} {
		text := table.Markdown()
		if !strings.Contains(text, "A confidence interval needs two seeds or more in which both algorithms have a value.") {
			t.Errorf("no note on the intervals in\n%s", text)
		}
		for _, other := range []string{"Holm", "leaves 0 out"} {
			if strings.Contains(text, other) {
				t.Errorf("%q in\n%s", other, text)
			}
		}
	}
}

// equalRun returns a run that trains on the given number of samples in each of four rounds, of which the second and fourth
// are evaluated.
func equalRun(samples int64, pre ...float64) Cell {
	var rounds []Round
	for n := range 4 {
		r := Round{Round: n + 1, Pre: NoScore, CohortPre: NoScore, CohortPost: NoScore, TrainingSamples: samples}
		if n%2 == 1 {
			x := Stat{pre[n/2], 1}
			r.Pre = Score{x, x}
		}
		rounds = append(rounds, r)
	}
	s := Summary{TrainingSamples: 100 + 4*samples} // 100 in the warm-up
	s.SetRounds(rounds)
	return Cell{Seed: 1, Summary: s, Rounds: rounds}
}

// TestEqualSamples checks that at equal samples, a method that trains on twice as many samples per round has half the rounds.
func TestEqualSamples(t *testing.T) {
	c := &Comparison{Clients: 5, Rounds: 4, Variants: []Variant{
		{Name: "cheap", Cells: []Cell{equalRun(1000, 50, 60)}}, {Name: "dear", Cells: []Cell{equalRun(2000, 55, 70)}},
	}}
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range c.Tables() {
		if table.Label == "samples" {
			for _, row := range table.Rows {
				for _, cell := range row {
					got = append(got, cell.Text)
				}
			}
		}
	}
	// The budget is 4,100: all rounds of the first run, and the warm-up and two rounds of the second.
	if want := []string{"cheap", "1", "60.00", "–", "4.0", "4,100", "dear", "1", "55.00", "−5.00", "2.0", "4,100"}; !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	c.Variants[1].Cells[0] = equalRun(1000, 55, 70)
	for _, table := range c.Tables() {
		if table.Label == "samples" {
			t.Error("runs of equal samples have a table at equal samples")
		}
	}
	c.Variants[1].Cells[0] = equalRun(5000, 55, 70)
	if x := c.values(&c.Variants[1], c.equalPre()); !math.IsNaN(x[0]) {
		t.Errorf("a run that is not evaluated within the samples has %v", x)
	}
}
