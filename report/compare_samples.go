package report

import (
	"fmt"
	"math"
	"strconv"

	"feddag/internal/numfmt"
)

// Methods differ in the number of samples that they train on per round. The other tables compare them after equal numbers of
// rounds; the table in this file compares them after equal numbers of training samples.

// sampleBudgets returns, for every seed, the smallest number of training samples of its runs, warm-up included. Seeds with
// runs that did not count their samples are left out.
func (c *Comparison) sampleBudgets() map[int64]float64 {
	budgets := map[int64]float64{}
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			n := trained.of(cell)
			if budget, ok := budgets[cell.Seed]; finite(n) && (!ok || n < budget) {
				budgets[cell.Seed] = n
			}
		}
	}
	return budgets
}

// spent is the state of a run within a budget of training samples: its accuracy and its numbers of rounds and samples.
type spent struct{ pre, rounds, samples float64 }

// within returns the state of a run after its last evaluated round up to which it trains on at most budget samples, warm-up
// included. The fields are NaN if there is no such round.
func (c Cell) within(budget float64) spent {
	x := spent{math.NaN(), math.NaN(), math.NaN()}
	samples := float64(c.Summary.TrainingSamples)
	for _, r := range c.Rounds {
		samples -= float64(r.TrainingSamples)
	}
	for k, r := range c.Rounds {
		if samples += float64(r.TrainingSamples); samples > budget {
			break
		}
		if finite(r.Pre.Balanced.Mean) {
			x = spent{r.Pre.Balanced.Mean, float64(k + 1), samples}
		}
	}
	return x
}

// atEqualSamples returns a measure of runs at the smallest number of training samples of the runs with the same seed.
func (c *Comparison) atEqualSamples(key string, of func(spent) float64) measure {
	budgets := c.sampleBudgets()
	return measure{key: key, places: 2, of: func(cell Cell) float64 {
		budget, ok := budgets[cell.Seed]
		if !ok || !finite(trained.of(cell)) {
			return math.NaN()
		}
		return of(cell.within(budget))
	}}
}

// equalPre returns the measure of accuracy before local training at equal samples.
func (c *Comparison) equalPre() measure {
	return c.atEqualSamples("equal_samples_pre", func(x spent) float64 { return x.pre })
}

// equalSamples reports whether the runs of every seed train on about the same number of samples, so that equal rounds mean
// equal samples.
func (c *Comparison) equalSamples() bool {
	budgets := c.sampleBudgets()
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			if n := trained.of(cell); finite(n) && n > 1.01*budgets[cell.Seed] {
				return false
			}
		}
	}
	return true
}

// sampleTable returns the table of accuracies at equal samples.
func (c *Comparison) sampleTable() Table {
	var differences []*Difference
	t := Table{
		Label: "samples", Title: "Accuracy at equal samples",
		Setting: c.all()[:1],
		Columns: headings("algorithm", "n", "pre", "minus "+c.Reference, "rounds", "trained on"),
	}
	pre := c.equalPre()
	rounds := c.atEqualSamples("", func(x spent) float64 { return x.rounds })
	samples := c.atEqualSamples("", func(x spent) float64 { return x.samples })
	all := make([]Difference, len(c.Variants))
	for i := range c.Variants {
		if all[i] = c.difference(&c.Variants[i], pre); c.Variants[i].Name != c.Reference {
			differences = append(differences, &all[i])
		}
	}
	intervals, bold := c.correct(differences)
	t.Bold = bold
	t.Notes = []string{
		fmt.Sprintf("Balanced accuracy before local training, percent, mean over all %d clients, each on %s. The limit of a seed is the number of training samples of the algorithm that trains on the fewest. Each algorithm is shown after its last evaluated round within the limit; n counts the seeds with such a round. Training samples include the warm-up, every epoch and every model. %s", c.Clients, c.testSet(), overSeeds),
		"Minus " + c.Reference + ": paired by seed. " + intervals,
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		s := c.spread(v, pre)
		row := texts(v.Name, strconv.Itoa(s.N), s.Text(2))
		if v.Name == c.Reference {
			row = append(row, TableCell{Text: "–"})
		} else {
			row = append(row, TableCell{Text: all[i].Text(2), Bold: all[i].Clear()})
		}
		t.Rows = append(t.Rows, append(row, texts(numfmt.Decimal(c.spread(v, rounds).Mean, 1), millions(c.spread(v, samples).Mean))...))
	}
	return t
}

// intervalBold explains what a bold difference means.
const intervalBold = "the interval leaves 0 out"

// correct corrects the intervals of a table's differences, unless Uncorrected is set. It returns a note that describes the
// intervals and the meaning of a bold difference. There are no intervals if no difference has two seeds.
func (c *Comparison) correct(differences []*Difference) (note, bold string) {
	n := 0
	for _, d := range differences {
		if d.N > 1 {
			n++
		}
	}
	if n == 0 {
		return "A confidence interval needs two seeds or more in which both algorithms have a value.", ""
	}
	note = fmt.Sprintf("Mean of n differences and its %s%% confidence interval (Student's t, n − 1 degrees of freedom; none for n = 1", shortest(100*c.Confidence))
	if c.Uncorrected {
		return note + "; each by itself, not corrected for their number).", intervalBold
	}
	correctHolm(differences, c.Confidence)
	return note + fmt.Sprintf("; corrected by Holm's method for the %d intervals of this table).", n), intervalBold
}
