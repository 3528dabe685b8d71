package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// Tables returns the tables of a comparison: accuracy, paired differences, results that others report, cost, accuracy by
// round, and every run. Settle must have been called before.
func (c *Comparison) Tables() []Table {
	tables := []Table{c.accuracyTable()}
	if len(c.Variants) > 1 {
		tables = append(tables, c.differenceTable())
	}
	if c.Newcomers() {
		tables = append(tables, c.newcomerTable())
	}
	for _, b := range c.Beside {
		if !b.Joined || c.Newcomers() {
			tables = append(tables, c.besideTable(b))
		}
	}
	if len(c.Variants) > 1 && !c.equalSamples() {
		tables = append(tables, c.sampleTable())
	}
	tables = append(tables, c.costTable())
	if len(c.Targets) > 0 {
		tables = append(tables, c.targetTable())
	}
	return append(tables, c.roundTable(), c.runTable())
}

// settingKeys are the settings that are shown with every table if all runs share them.
var settingKeys = []string{"scenario", "rate", "model", "epochs", "batch", "lr", "momentum", "weight-decay", "device", "precision"}

// where describes the setting of the runs.
func (c *Comparison) where() string {
	clients := numfmt.Count(c.Clients, "client")
	if c.Dealt > c.Clients {
		clients = fmt.Sprintf("%d clients, %d of them measured", c.Dealt, c.Clients)
	}
	parts := []string{c.DatasetTitle, c.Partition, clients, c.roundsText()}
	for _, key := range settingKeys {
		for _, p := range c.Shared {
			if p.Key == key && p.Value != "" {
				parts = append(parts, strings.TrimSpace(key+" "+p.Value+" "+p.Comment))
			}
		}
	}
	return strings.Join(parts, ", ") + "."
}

// over explains what an accuracy is, and over which clients it is averaged.
func (c *Comparison) over() []string {
	tail := min(max(c.Rounds, 1), lastRounds)
	moving := ""
	if c.Newcomers() {
		moving = " Clients that join or leave count while they are there."
	}
	return []string{
		fmt.Sprintf("Values are balanced accuracies in percent: the mean of the recalls of the classes in a client's test set, each client on %s, then the mean over clients. "+
			"Pre is the accuracy of the model that the server assigns, before local training, of all %d clients. "+
			"Final post is the accuracy after one more local training, of all %d clients. Last-10 post and best post are the accuracies after the local training of a round, of the clients sampled in that round.", c.testSet(), c.Clients, c.Clients),
		fmt.Sprintf("Last-10 is the mean of the last %s%s. Best is the best round of each value, which is chosen on the test sets. Swing is the standard deviation of pre over the last %s.%s", numfmt.Count(tail, "round"), c.evaluatedOf(tail), numfmt.Count(tail, "round"), moving),
	}
}

// all returns the descriptions of the setting, of the accuracies, and of their rounds.
func (c *Comparison) all() []string { return append([]string{c.where()}, c.over()...) }

// costOfARun explains the last columns of the accuracy table.
const costOfARun = "Trained on is the number of training samples of a run, with every epoch and every model. Traffic counts the bytes in both directions, and time is the wall time without set-up. These are means over seeds, and include the warm-up."

const overSeeds = "Mean ± sample standard deviation over n seeds."

func (c *Comparison) accuracyTable() Table {
	t := Table{
		Label: "accuracy", Title: "Accuracy",
		Setting: c.all(), Notes: []string{overSeeds + c.seedsDiffer() + " " + costOfARun}, Bold: "the highest mean",
		Columns: headings("algorithm", "n"),
	}
	tops := map[string]float64{}
	for _, m := range accuracies {
		t.Columns = append(t.Columns, Column{Heading: m.heading})
		top, bottom := math.Inf(-1), math.Inf(1)
		for i := range c.Variants {
			mean := orLeast(c.spread(&c.Variants[i], m).Mean)
			top, bottom = math.Max(top, mean), math.Min(bottom, mean)
		}
		if tops[m.key] = top; top == bottom { // all algorithms are equal
			tops[m.key] = math.NaN()
		}
	}
	differ := c.roundsDiffer()
	if differ {
		t.Columns = append(t.Columns, Column{Heading: "rounds"})
	}
	for _, m := range []measure{clusterCount, randIndex, trained, traffic, running} {
		t.Columns = append(t.Columns, Column{Heading: m.heading})
	}
	if c.devicesDiffer() {
		t.Columns = append(t.Columns, Column{Heading: "device", Text: true})
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		row := texts(v.Name, strconv.Itoa(len(v.Cells)))
		for _, m := range accuracies {
			s := c.spread(v, m)
			row = append(row, TableCell{
				Text: s.Text(m.places),
				Bold: m.key != swing.key && s.Mean == tops[m.key],
			})
		}
		if differ {
			row = append(row, texts(strconv.Itoa(v.rounds()))...)
		}
		row = append(row, texts(whole(c.values(v, clusterCount)), c.spread(v, randIndex).Text(3), millions(c.spread(v, trained).Mean), c.bytes(v, traffic), c.seconds(v, running))...)
		if c.devicesDiffer() {
			row = append(row, TableCell{Text: v.devices(Cell.device)})
		}
		t.Rows = append(t.Rows, row)
	}
	for _, v := range c.Variants {
		if len(v.Settings) > 0 {
			var parts []string
			for _, p := range v.Settings {
				parts = append(parts, p.Key+" "+orNothing(p.Value))
			}
			t.After = append(t.After, fmt.Sprintf("%s: %s with %s.", v.Name, v.Algorithm, strings.Join(parts, ", ")))
		}
	}
	t.After = append(t.After, c.predictWith()...)
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			for _, w := range cell.Summary.Warnings {
				t.After = append(t.After, fmt.Sprintf("%s, seed %d: %s", v.Name, cell.Seed, strings.TrimSuffix(w, ".")+"."))
			}
		}
	}
	for _, m := range c.Missing {
		t.After = append(t.After, fmt.Sprintf("Not in the tables: %s, seed %d (%s).", m.Name, m.Seed, m.Why))
	}
	return t
}

// seedsDiffer returns a warning if some algorithms do not have all seeds. Otherwise it is empty.
func (c *Comparison) seedsDiffer() string {
	all := len(c.Seeds())
	if !slices.ContainsFunc(c.Variants, func(v Variant) bool { return len(v.Cells) < all }) {
		return ""
	}
	return " Not all algorithms have the same seeds, and seeds differ in their partitions: compare the differences, which are paired by seed, instead of these means."
}

// predictWith names the algorithms whose accuracy before local training is not measured with the model that the server
// assigns.
func (c *Comparison) predictWith() (sentences []string) {
	for _, v := range c.Variants {
		if with := v.Cells[0].Summary.PreWith; with != "" {
			sentences = append(sentences, fmt.Sprintf("%s: pre is with %s.", v.Name, with))
		}
	}
	return sentences
}

func orLeast(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

// whole formats a whole number that varies over seeds as a range.
func whole(values []float64) string {
	x := measured(values)
	if len(x) == 0 {
		return "–"
	}
	low, high := slices.Min(x), slices.Max(x)
	if low == high {
		return numfmt.Decimal(low, 0)
	}
	return numfmt.Decimal(low, 0) + "–" + numfmt.Decimal(high, 0)
}

func (c *Comparison) differenceTable() Table {
	shown := []measure{finalPre, finalPost, last10Pre, last10Post}
	if c.Newcomers() {
		shown = append(shown, joinedPost)
	}
	t := Table{
		Label: "differences", Title: "Differences from " + c.Reference,
		Setting: c.all()[:2],
		Columns: headings("algorithm", "n"),
	}
	shown = c.distinct(shown)
	for _, m := range shown {
		t.Columns = append(t.Columns, Column{Heading: m.heading})
	}
	all := make([][]Difference, len(c.Variants))
	var family []*Difference
	for i := range c.Variants {
		for _, m := range shown {
			all[i] = append(all[i], c.difference(&c.Variants[i], m))
		}
		for k := range all[i] {
			if c.Variants[i].Name != c.Reference {
				family = append(family, &all[i][k])
			}
		}
	}
	intervals, bold := c.correct(family)
	t.Bold = bold
	t.Notes = []string{fmt.Sprintf("Values are differences in points, the algorithm minus %s, paired by seed: both have the same partition%s. %s", c.Reference, c.sameCohorts(), intervals)}
	for i := range c.Variants {
		v := &c.Variants[i]
		if v.Name == c.Reference {
			continue
		}
		n := c.difference(v, finalPre).N
		row := texts(v.Name, strconv.Itoa(n))
		for k, m := range shown {
			d := all[i][k]
			text := d.Text(m.places)
			if d.N > 0 && d.N != n {
				text += fmt.Sprintf(" (n = %d)", d.N)
			}
			row = append(row, TableCell{Text: text, Bold: d.Clear()})
		}
		t.Rows = append(t.Rows, row)
	}
	t.After = c.predictWith()
	return t
}

// sameCohorts says for which variants the runs of a seed sample the same clients as those of the reference.
func (c *Comparison) sameCohorts() string {
	switch other := c.otherCohorts(); len(other) {
	case 0:
		return " and the same sampled clients"
	case len(c.Variants) - 1:
		return ", but not the same sampled clients"
	default:
		return " and, except for " + strings.Join(other, ", ") + ", the same sampled clients"
	}
}

// otherCohorts names the variants that sample other clients than the reference in some round of a seed: methods that choose the
// clients themselves, and variants with another --rate.
func (c *Comparison) otherCohorts() (names []string) {
	reference := c.reference()
	for i := range c.Variants {
		v := &c.Variants[i]
		differs := slices.ContainsFunc(v.Cells, func(a Cell) bool {
			k := slices.IndexFunc(reference.Cells, func(b Cell) bool { return b.Seed == a.Seed })
			if k < 0 {
				return false
			}
			for t, r := range reference.Cells[k].Rounds {
				if t < len(a.Rounds) && !slices.Equal(r.sampled(), a.Rounds[t].sampled()) {
					return true
				}
			}
			return false
		})
		if differs {
			names = append(names, v.Name)
		}
	}
	return names
}

// distinct returns the measures without those that have the values of an earlier one in every run. In runs that evaluate only their
// last round, last-10 pre is final pre; the same difference must not count twice among the intervals that are corrected together.
func (c *Comparison) distinct(measures []measure) (kept []measure) {
	for _, m := range measures {
		repeats := func(other measure) bool {
			for i := range c.Variants {
				x, y := c.values(&c.Variants[i], m), c.values(&c.Variants[i], other)
				if !slices.EqualFunc(x, y, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }) {
					return false
				}
			}
			return true
		}
		if !slices.ContainsFunc(kept, repeats) {
			kept = append(kept, m)
		}
	}
	return kept
}

// newcomers explains the accuracies of clients that join during a run.
func (c *Comparison) newcomers() []string {
	return []string{c.where(), "Values are balanced accuracies in percent: the mean of the recalls of the classes in a client's test set, each client on " + c.testSet() + ", then the mean over the clients that joined during the run, or were held out and came after its last round. " +
		"Newcomers pre is the accuracy of the model that they were given, before local training; newcomers post is the accuracy after one local training from there."}
}

func (c *Comparison) newcomerTable() Table {
	t := Table{
		Label: "newcomers", Title: "Newcomers", Setting: c.newcomers(), Notes: []string{overSeeds},
		Columns: headings("algorithm", "n", "newcomers", joinedPre.heading, joinedPost.heading),
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		t.Rows = append(t.Rows, texts(v.Name, strconv.Itoa(len(v.Cells)), whole(c.values(v, joinedClients)), c.spread(v, joinedPre).Text(2), c.spread(v, joinedPost).Text(2)))
	}
	return t
}

// roundTable returns the accuracies after selected numbers of rounds, the content of the curves as numbers.
func (c *Comparison) roundTable() Table {
	t := Table{
		Label: "rounds", Title: "Accuracy by round",
		Setting: c.all()[:1],
		Notes:   []string{fmt.Sprintf("Balanced accuracy before local training, percent, mean over all %d clients, each on %s, after the number of rounds that heads the column. %s", c.Clients, c.testSet(), overSeeds)},
		Columns: headings("algorithm", "n"),
	}
	if c.roundsDiffer() {
		t.Notes[0] += " Algorithms with fewer rounds have no values after their last round."
	}
	at := c.milestones()
	for _, r := range at {
		t.Columns = append(t.Columns, Column{Heading: strconv.Itoa(r)})
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		row := texts(v.Name, strconv.Itoa(len(v.Cells)))
		for _, r := range at {
			row = append(row, TableCell{Text: c.spread(v, measure{of: func(cell Cell) float64 { return cell.preAfter(r) }}).Text(2)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// preAfter returns the accuracy before local training after the given number of rounds.
func (c Cell) preAfter(rounds int) float64 {
	i := slices.IndexFunc(c.Rounds, func(r Round) bool { return r.Round == rounds })
	if i < 0 {
		return math.NaN()
	}
	return c.Rounds[i].Pre.Balanced.Mean
}

// milestones returns about eight numbers of rounds after which the runs were evaluated: those of the reference, or of the first
// variant with the most rounds if the reference has fewer. It includes the last evaluated round of every variant.
func (c *Comparison) milestones() []int {
	longest := c.reference()
	var lasts []int
	for i := range c.Variants {
		v := &c.Variants[i]
		if v.rounds() > longest.rounds() {
			longest = v
		}
		if own := v.evaluated(); len(own) > 0 {
			lasts = append(lasts, own[len(own)-1])
		}
	}
	evaluated := longest.evaluated()
	at := evaluated
	if len(evaluated) > 8 {
		at = nil
		step := int(plot.NiceStep(float64(c.Rounds)/8, 1))
		for i, r := range evaluated {
			if i == len(evaluated)-1 || r%step == 0 {
				at = append(at, r)
			}
		}
		if len(at) < 3 { // too few evaluations fall on the steps
			at = nil
			for i := range 8 {
				at = append(at, evaluated[(i+1)*len(evaluated)/8-1])
			}
		}
	}
	at = slices.Concat(at, lasts)
	slices.Sort(at)
	return slices.Compact(at)
}

// evaluated returns the numbers of the rounds after which the first run of a variant was evaluated, ascending.
func (v *Variant) evaluated() (rounds []int) {
	for _, r := range v.Cells[0].Rounds {
		if finite(r.Pre.Balanced.Mean) {
			rounds = append(rounds, r.Round)
		}
	}
	return rounds
}

func (c *Comparison) runTable() Table {
	t := Table{
		Label: "runs", Title: "Every run",
		Setting: c.all(),
		Columns: headings("algorithm", "seed"),
	}
	for _, m := range accuracies {
		t.Columns = append(t.Columns, Column{Heading: m.heading})
	}
	t.Columns = append(t.Columns, Column{Heading: clusterCount.heading}, Column{Heading: randIndex.heading}, Column{Heading: "run", Text: true})
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			row := texts(v.Name, strconv.FormatInt(cell.Seed, 10))
			for _, m := range accuracies {
				row = append(row, TableCell{Text: numfmt.Decimal(m.of(cell), m.places)})
			}
			row = append(row, texts(numfmt.Decimal(clusterCount.of(cell), 0), numfmt.Decimal(randIndex.of(cell), 3))...)
			run := TableCell{Text: cell.Dir}
			if cell.Page {
				run.Link = cell.Dir + "/" + HTMLFile
			}
			t.Rows = append(t.Rows, append(row, run))
		}
	}
	return t
}
