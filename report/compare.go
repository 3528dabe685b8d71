package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
)

// Comparison holds the runs of several algorithms with several seeds on one partition.
type Comparison struct {
	Dataset      string
	DatasetTitle string  // name of the data set for titles
	Partition    string  // kind and parameters of the partition, in words
	Clients      int     // number of clients in the mean of the final accuracy
	Dealt        int     // number of clients in the partition, including those held out or gone
	Rounds       int     // number of rounds after which the runs are compared; the largest, if the variants have different numbers
	EvalShare    float64 // share of each client's test set on which accuracies are computed; 0 for all of it
	Shared       []Pair  // settings that all runs have in common; a comment marks settings that differ in some runs

	Reference  string  // name of the variant with which the others are compared
	Confidence float64 // confidence of the intervals, 0..1
	// Uncorrected gives each interval of a table this confidence by itself. Otherwise all intervals of a table have it
	// jointly (Holm).
	Uncorrected bool
	Targets     []float64 // accuracies in percent up to which traffic and time are counted
	Variants    []Variant
	Missing     []Missing
	Beside      []*Beside

	ratesOverall bool // see settleRates
}

// Variant is an algorithm with its options.
type Variant struct {
	Name      string
	Algorithm string
	Settings  []Pair // settings in which the variant differs from others
	Cells     []Cell // ascending seed
}

// Cell is a run: one variant, one seed.
type Cell struct {
	Seed    int64
	Dir     string // directory of the run, relative to the directory of the comparison
	Page    bool   // the run has a report.html
	Summary Summary
	Rounds  []Round
}

// Missing is a run that is not in the tables.
type Missing struct {
	Name string `json:"name"` // name of its variant
	Seed int64  `json:"seed"`
	Why  string `json:"why"`
}

// Cut returns the cell as if its run had ended after the given number of rounds, with the clusters that it had then. The accuracy
// of every client after local training, which is only measured at the end of a run, is then missing. The total wall time ends with
// the remaining rounds.
func (c Cell) Cut(rounds int) Cell {
	s := &c.Summary
	if s.Rounds <= rounds {
		return c
	}
	s.BytesUp, s.BytesDown = c.warmUpBytes() // SetRounds adds the traffic of the rounds
	for _, r := range c.Rounds[rounds:] {
		s.TrainingSamples -= r.TrainingSamples
		s.ForwardSamples -= r.ForwardSamples
	}
	c.Rounds = c.Rounds[:rounds]
	s.SetRounds(c.Rounds)
	if rounds > 0 && c.Rounds[rounds-1].Clusters != nil {
		s.Clusters, s.AdjustedRandIndex = *c.Rounds[rounds-1].Clusters, c.Rounds[rounds-1].AdjustedRandIndex
	}
	s.ClientBest = nil
	s.Joined, s.HeldOut = nil, nil // the summary does not say when each client joined; held-out clients come after the last round
	x := s.Seconds
	s.Seconds = Seconds{Setup: x.Setup, Warmup: x.Warmup, Clustering: x.Clustering, Rounds: x.Rounds, Total: x.Setup + x.Warmup + x.Clustering + x.Rounds}
	return c
}

// warmUpBytes returns the traffic before the rounds.
func (c Cell) warmUpBytes() (up, down int64) {
	up, down = c.Summary.BytesUp, c.Summary.BytesDown
	for _, r := range c.Rounds {
		up, down = up-r.BytesUp, down-r.BytesDown
	}
	return up, down
}

// Newcomers reports whether clients joined during the runs or after their last round.
func (c *Comparison) Newcomers() bool {
	for i := range c.Variants {
		if c.spread(&c.Variants[i], joinedClients).N > 0 {
			return true
		}
	}
	return false
}

// Seeds returns the seeds of all variants, ascending.
func (c *Comparison) Seeds() []int64 {
	var seeds []int64
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			seeds = append(seeds, cell.Seed)
		}
	}
	slices.Sort(seeds)
	return slices.Compact(seeds)
}

// rounds returns the number of rounds after which the runs of a variant are compared.
func (v *Variant) rounds() int {
	if len(v.Cells) == 0 {
		return 0
	}
	return v.Cells[0].Summary.Rounds
}

// roundsDiffer reports whether the variants are compared after different numbers of rounds.
func (c *Comparison) roundsDiffer() bool {
	return slices.ContainsFunc(c.Variants, func(v Variant) bool { return len(v.Cells) > 0 && v.rounds() != c.Rounds })
}

// roundsText returns the number of rounds, or all numbers of rounds if they differ, in words.
func (c *Comparison) roundsText() string {
	if !c.roundsDiffer() {
		return numfmt.Count(c.Rounds, "round")
	}
	var each []string
	for _, v := range slices.SortedFunc(slices.Values(c.Variants), func(a, b Variant) int { return cmp.Compare(a.rounds(), b.rounds()) }) {
		if text := strconv.Itoa(v.rounds()); len(v.Cells) > 0 && !slices.Contains(each, text) {
			each = append(each, text)
		}
	}
	return strings.Join(each, " or ") + " rounds"
}

// values returns a measure of a variant for each seed, in the order of Seeds. It is NaN if there is no run.
func (c *Comparison) values(v *Variant, m measure) []float64 {
	seeds := c.Seeds()
	x := make([]float64, len(seeds))
	for i := range x {
		x[i] = math.NaN()
	}
	for _, cell := range v.Cells {
		i, _ := slices.BinarySearch(seeds, cell.Seed)
		x[i] = m.of(cell)
	}
	return x
}

// Ranked returns the comparison with its variants by final accuracy before local training, the highest first.
func (c *Comparison) Ranked() *Comparison {
	sorted := *c
	sorted.Variants = slices.Clone(c.Variants)
	slices.SortStableFunc(sorted.Variants, func(a, b Variant) int {
		return cmp.Compare(orLeast(c.spread(&b, finalPre).Mean), orLeast(c.spread(&a, finalPre).Mean))
	})
	return &sorted
}

// device names the device of a run, such as "cpu (NAME OF THE CPU)" or "cuda:0".
func (c Cell) device() string {
	if c.Summary.DeviceName == "" {
		return c.Summary.Device
	}
	return c.Summary.Device + " (" + c.Summary.DeviceName + ")"
}

// devices lists what of says about the device of each run of a variant, each text once.
func (v *Variant) devices(of func(Cell) string) string {
	var names []string
	for _, cell := range v.Cells {
		names = append(names, of(cell))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// devicesDiffer reports whether the runs were on more than one device.
func (c *Comparison) devicesDiffer() bool {
	var names []string
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			names = append(names, cell.device())
		}
	}
	slices.Sort(names)
	return len(slices.Compact(names)) > 1
}

func (c *Comparison) spread(v *Variant, m measure) Spread { return NewSpread(c.values(v, m)) }

// difference returns the difference of a variant from the reference, paired by seed.
func (c *Comparison) difference(v *Variant, m measure) Difference {
	return PairedDifference(c.values(v, m), c.values(c.reference(), m), c.Confidence)
}

func (c *Comparison) reference() *Variant {
	for i := range c.Variants {
		if c.Variants[i].Name == c.Reference {
			return &c.Variants[i]
		}
	}
	return &c.Variants[0]
}

// Settle checks the fields that the caller has set and sets the others to their defaults: the first variant as reference, a
// confidence of 0.95, and as target the reference's accuracy before local training in the last ten rounds, rounded down to a
// multiple of 5 percent.
func (c *Comparison) Settle() error {
	if len(c.Variants) == 0 {
		return fmt.Errorf("a comparison of no runs")
	}
	c.settleRates()
	var names []string
	for _, v := range c.Variants {
		names = append(names, v.Name)
		if len(v.Cells) == 0 {
			return fmt.Errorf("%s has no finished run", v.Name)
		}
	}
	if c.Reference == "" {
		c.Reference = names[0]
	}
	if !slices.Contains(names, c.Reference) {
		return fmt.Errorf("the reference %q has no finished run; there is %s", c.Reference, strings.Join(names, ", "))
	}
	if c.Confidence == 0 {
		c.Confidence = 0.95
	}
	if !(c.Confidence > 0 && c.Confidence < 1) {
		return fmt.Errorf("a confidence of %g: use a number between 0 and 1", c.Confidence)
	}
	if c.Targets == nil {
		if x := c.spread(c.reference(), last10Pre).Mean; x >= 5 {
			c.Targets = []float64{5 * math.Floor(x/5)}
		}
	}
	return nil
}
