package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"feddag/internal/numfmt"
)

func (c *Comparison) costTable() Table {
	t := Table{
		Label: "cost", Title: "Cost",
		Setting: c.all()[:1],
		Notes: []string{
			"All values are means over n seeds, and include the warm-up. Up is what all clients send to the server, and down is what they receive. Clients per round is the number of clients that train in a round. " +
				"Trained on is the number of training samples, with every epoch and every model. Evaluated is the number of training samples that were evaluated to choose a model or a client. " +
				"Time is the wall time of warm-up, clustering and rounds, with evaluation and without set-up; per round is the median. Times can be compared only if every run had the machine to itself. " + c.rateNote(),
		},
		Columns: headings("algorithm", "n", "up", "down", "clients per round", "trained on", "evaluated", "time", "per round", "samples/s"),
	}
	if c.devicesDiffer() {
		t.Columns = append(t.Columns, Column{Heading: "device", Text: true})
		t.Notes = append(t.Notes, "Not all runs were on the same device. Times and samples/s of different devices cannot be compared.")
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		row := texts(v.Name, strconv.Itoa(len(v.Cells)), c.bytes(v, bytesUp), c.bytes(v, bytesDown), numfmt.Decimal(c.spread(v, perRoundClients).Mean, 1),
			millions(c.spread(v, trained).Mean), millions(c.spread(v, evaluated).Mean),
			c.seconds(v, running), c.seconds(v, perRound), numfmt.Thousands(c.spread(v, samplesPer).Mean))
		if c.devicesDiffer() {
			row = append(row, TableCell{Text: v.devices(Cell.device)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// targetTable returns the cost of reaching the target accuracies.
func (c *Comparison) targetTable() Table {
	t := Table{
		Label: "target", Title: "Cost of a target",
		Setting: c.all()[:1],
		Notes: []string{fmt.Sprintf("The cost up to the first evaluated round after which the balanced accuracy before local training (percent, mean over all %d clients, each on %s) reaches the target, with the warm-up. "+
			"Rounds are a mean ± sample standard deviation over n seeds. Traffic (up and down, of all clients) and wall time (without set-up) are means. If some seeds do not reach the target, the table says how many do.%s", c.Clients, c.testSet(), c.unevaluated())},
		Columns: headings("algorithm", "n"),
	}
	for _, target := range c.Targets {
		at := "to " + shortest(target) + "%"
		t.Columns = append(t.Columns, Column{Heading: "rounds " + at}, Column{Heading: "traffic " + at}, Column{Heading: "time " + at})
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		row := texts(v.Name, strconv.Itoa(len(v.Cells)))
		for _, target := range c.Targets {
			rounds, traffic, time := to(target)
			switch s := c.spread(v, rounds); s.N {
			case len(v.Cells):
				row = append(row, texts(s.Text(1), c.bytes(v, traffic), c.seconds(v, time))...)
			case 0:
				row = append(row, texts("never", "–", "–")...)
			default:
				row = append(row, texts(fmt.Sprintf("%d of %d seeds", s.N, len(v.Cells)), "–", "–")...)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// unevaluated returns a sentence for the costs of a target if some rounds of a run were not evaluated. Otherwise it is empty.
func (c *Comparison) unevaluated() string {
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			if slices.ContainsFunc(cell.Rounds, func(r Round) bool { return !finite(r.Pre.Balanced.Mean) }) {
				return " Not all rounds were evaluated, so an algorithm may have reached the target in an earlier round."
			}
		}
	}
	return ""
}

func (c *Comparison) bytes(v *Variant, m measure) string {
	s := c.spread(v, m)
	if s.N == 0 {
		return "–"
	}
	return numfmt.Bytes(int64(math.Round(s.Mean)))
}

func (c *Comparison) seconds(v *Variant, m measure) string { return duration(c.spread(v, m).Mean) }

// millions formats a number of samples in millions. A number below a million is written in full.
func millions(v float64) string {
	if !finite(v) {
		return "–"
	}
	if math.Round(v) < 1e6 {
		return numfmt.Thousands(math.Round(v))
	}
	return numfmt.Decimal(v/1e6, 2) + " M"
}

// settleRates gives the samples per second of all runs the same definition: per second of training, or, if some run did not
// record its training time, per second of the rounds.
func (c *Comparison) settleRates() {
	c.ratesOverall = false
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			_, overall := SamplesPerSecond(cell.Rounds)
			c.ratesOverall = c.ratesOverall || overall
		}
	}
	if !c.ratesOverall {
		return
	}
	for _, v := range c.Variants {
		for i := range v.Cells {
			cell := &v.Cells[i]
			rounds := slices.Clone(cell.Rounds)
			for t := range rounds {
				rounds[t].TrainingSeconds = 0
			}
			cell.Summary.SamplesPerSecond, _ = SamplesPerSecond(rounds)
		}
	}
}

// furtherPasses explains why samples/s is not trained on divided by a time.
const furtherPasses = "it leaves out the further passes of FedMix, FedBR and Per-FedAvg, which trained on includes."

// rateNote explains the definition of the samples per second.
func (c *Comparison) rateNote() string {
	if c.ratesOverall {
		return "Samples/s is the number of training samples per second of the rounds, with evaluation, because some runs did not record the time of training; " + furtherPasses
	}
	return "Samples/s is the number of training samples per second of training; " + furtherPasses
}
