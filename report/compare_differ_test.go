package report

import (
	"slices"
	"strings"
	"testing"
)

// numbered returns a run of a seed in which the given clients are sampled in every round. Every every-th round is evaluated.
func numbered(seed int64, rounds, every int, sampled ...int) Cell {
	var lines []Round
	for t := range rounds {
		r := Round{Round: t + 1, Pre: NoScore, CohortPre: NoScore, CohortPost: NoScore, Clients: sampled}
		if (t+1)%every == 0 {
			x := Stat{float64(t), 1}
			r.Pre = Score{x, x}
		}
		lines = append(lines, r)
	}
	var s Summary
	s.SetRounds(lines)
	return Cell{Seed: seed, Summary: s, Rounds: lines}
}

func settled(t *testing.T, rounds int, variants ...Variant) *Comparison {
	t.Helper()
	c := &Comparison{Clients: 5, Rounds: rounds, Variants: variants}
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMilestonesOfDifferentRounds checks that the accuracy by round is shown up to the last round of every variant, although the
// reference has fewer rounds or more.
func TestMilestonesOfDifferentRounds(t *testing.T) {
	short, long := Variant{Name: "short", Cells: []Cell{numbered(1, 25, 5)}}, Variant{Name: "long", Cells: []Cell{numbered(1, 100, 1)}}
	for _, variants := range [][]Variant{{short, long}, {long, short}} {
		c := settled(t, 100, variants...)
		if got, want := c.milestones(), []int{20, 25, 40, 60, 80, 100}; !slices.Equal(got, want) {
			t.Errorf("reference %s: accuracies after the rounds %v, want %v", c.Reference, got, want)
		}
		table := c.roundTable().Markdown()
		for _, row := range []string{"| short | 1 | 19.00 | 24.00 | – | – | – | – |", "| long | 1 | 19.00 | 24.00 | 39.00 | 59.00 | 79.00 | 99.00 |"} {
			if !strings.Contains(table, row) {
				t.Errorf("reference %s: no row %s in\n%s", c.Reference, row, table)
			}
		}
	}
}

// TestSameCohorts checks that a comparison does not say that methods sample the same clients if they do not.
func TestSameCohorts(t *testing.T) {
	a, b := Variant{Name: "a", Cells: []Cell{numbered(1, 2, 1, 0, 1)}}, Variant{Name: "b", Cells: []Cell{numbered(1, 1, 1, 0, 1)}}
	dropped := numbered(1, 2, 1, 1)
	for k := range dropped.Rounds {
		dropped.Rounds[k].Dropped = []int{0}
	}
	same, chooses := Variant{Name: "c", Cells: []Cell{dropped}}, Variant{Name: "d", Cells: []Cell{numbered(1, 2, 1, 0, 2)}}
	for _, x := range []struct {
		want     string
		variants []Variant
	}{
		{"the same partition and the same sampled clients.", []Variant{a, b, same}},
		{"the same partition and, except for d, the same sampled clients.", []Variant{a, b, chooses}},
		{"the same partition, but not the same sampled clients.", []Variant{a, chooses}},
	} {
		c := settled(t, 2, x.variants...)
		if text := c.differenceTable().Markdown(); !strings.Contains(text, x.want) {
			t.Errorf("no %q in\n%s", x.want, text)
		}
		v, err := c.view()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(v.Curves, func(d drawing) bool { return strings.Contains(d.Text, x.want) }) {
			t.Errorf("no chart says %q", x.want)
		}
	}
}

// TestNotesOfWhatIsMissing checks the notes about seeds that an algorithm does not have, rounds that are not evaluated, and
// algorithms that are not evaluated within equal samples.
func TestNotesOfWhatIsMissing(t *testing.T) {
	equal, unequal := []Cell{numbered(1, 10, 1), numbered(2, 10, 1)}, []Cell{numbered(1, 10, 5)}
	const seeds, target = "Not all algorithms have the same seeds", "Not all rounds were evaluated"
	for missing, cells := range map[bool][]Cell{false: equal, true: unequal} {
		c := settled(t, 10, Variant{Name: "a", Cells: equal}, Variant{Name: "b", Cells: cells})
		c.Targets = []float64{5}
		if strings.Contains(c.accuracyTable().Markdown(), seeds) != missing {
			t.Errorf("%v: a note on the seeds, or none", missing)
		}
		if strings.Contains(c.targetTable().Markdown(), target) != missing {
			t.Errorf("%v: a note on the rounds, or none", missing)
		}
	}
	late := func(seed int64) Cell { // is evaluated after its last round, after twice the samples of the other run
		cell := numbered(seed, 2, 2)
		for k := range cell.Rounds {
			cell.Rounds[k].TrainingSamples = 200
		}
		cell.Summary.TrainingSamples = 400
		return cell
	}
	early := func(seed int64) Cell {
		cell := late(seed)
		cell.Rounds = slices.Clone(cell.Rounds)
		cell.Rounds[0].TrainingSamples, cell.Rounds[1].TrainingSamples, cell.Summary.TrainingSamples = 100, 100, 200
		return cell
	}
	c := settled(t, 2, Variant{Name: "early", Cells: []Cell{early(1), early(2)}}, Variant{Name: "late", Cells: []Cell{late(1), late(2)}})
	table := c.sampleTable()
	if n := table.Rows[1][1].Text; n != "0" {
		t.Errorf("n = %s of an algorithm without values", n)
	}
	if text := table.Markdown(); strings.Contains(text, "two seeds or more.") {
		t.Errorf("a table of two seeds asks for two seeds:\n%s", text)
	}
}
