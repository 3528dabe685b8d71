package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Comparison is several algorithms, over seeds, on one partition.
type Comparison struct {
	Dataset      string
	DatasetTitle string // as a person writes it
	Partition    string // its kind and parameters, in words
	Clients      int    // that the accuracy at the end is over
	Dealt        int    // of the partition, those held out or gone counted
	Rounds       int    // of every run, or the first so many of it
	Shared       []Pair // settings all runs have in common; with a comment, those that some have otherwise

	Reference  string    // the variant that the others are subtracted from
	Confidence float64   // of the intervals, 0..1
	Targets    []float64 // accuracies, in percent, to which traffic and time are counted
	Variants   []Variant
	Missing    []Missing
	Beside     []*Beside
}

// Variant is an algorithm with its options.
type Variant struct {
	Name      string
	Algorithm string
	Settings  []Pair // in which it differs from others of the comparison
	Cells     []Cell // ascending seed
}

// Cell is a run: one variant, one seed.
type Cell struct {
	Seed    int64
	Dir     string // the run's directory, for a person
	Link    string // the same, from the comparison's directory
	Summary Summary
	Rounds  []Round
}

// Missing is a run that the tables lack.
type Missing struct {
	Name string `json:"name"` // of its variant
	Seed int64  `json:"seed"`
	Why  string `json:"why"`
}

// Cut is the cell as if its run had ended after so many rounds. What only the
// end of a run measures, the accuracy of every client after local training, is
// then missing, and its wall time is that of the rounds.
func (c Cell) Cut(rounds int) Cell {
	s := &c.Summary
	if s.Rounds <= rounds {
		return c
	}
	s.BytesUp, s.BytesDown = c.warmUpBytes() // SetRounds adds those of the rounds
	for _, r := range c.Rounds[rounds:] {
		s.TrainingSamples -= r.TrainingSamples
		s.ForwardSamples -= r.ForwardSamples
	}
	c.Rounds = c.Rounds[:rounds]
	s.SetRounds(c.Rounds)
	s.Joined, s.HeldOut = nil, nil // the summary does not say when who joined; those held out came after the end
	s.Seconds.Total = s.Seconds.Setup + s.Seconds.Warmup + s.Seconds.Clustering + s.Seconds.Rounds
	return c
}

// warmUpBytes is the traffic before round 0.
func (c Cell) warmUpBytes() (up, down int64) {
	up, down = c.Summary.BytesUp, c.Summary.BytesDown
	for _, r := range c.Rounds {
		up, down = up-r.BytesUp, down-r.BytesDown
	}
	return up, down
}

// measure is a number of a run that is compared.
type measure struct {
	key     string // in CSV and JSON
	heading string // in tables
	places  int
	of      func(Cell) float64
}

// The measures, all of accuracy in percent.
var (
	finalPre   = measure{"final_pre", "final pre", 2, func(c Cell) float64 { return c.Summary.Final.Pre.Balanced.Mean }}
	finalPost  = measure{"final_post", "final post", 2, func(c Cell) float64 { return overAll(c.Summary.Final).Balanced.Mean }}
	last10Pre  = measure{"last10_pre", "last-10 pre", 2, func(c Cell) float64 { return c.Summary.Last10.Pre.Balanced.Mean }}
	last10Post = measure{"last10_post", "last-10 post", 2, func(c Cell) float64 { return c.Summary.Last10.Post.Balanced.Mean }}
	bestPre    = measure{"best_pre", "best pre", 2, func(c Cell) float64 { return c.Summary.Best.Pre.Balanced.Mean }}
	bestPost   = measure{"best_post", "best post", 2, func(c Cell) float64 { return c.Summary.Best.Post.Balanced.Mean }}
	swing      = measure{"swing", "swing", 2, func(c Cell) float64 { return c.Summary.Swing }}

	clusterCount = measure{"clusters", "clusters", 1, func(c Cell) float64 { return float64(c.Summary.Clusters) }}
	randIndex    = measure{"adjusted_rand_index", "ARI", 3, func(c Cell) float64 { return orNaN(c.Summary.AdjustedRandIndex) }}

	bytesUp   = measure{"bytes_up", "up", 0, func(c Cell) float64 { return float64(c.Summary.BytesUp) }}
	bytesDown = measure{"bytes_down", "down", 0, func(c Cell) float64 { return float64(c.Summary.BytesDown) }}
	trained   = measure{"training_samples", "trained on", 0, func(c Cell) float64 { return counted(c.Summary.TrainingSamples) }}
	evaluated = measure{"forward_samples", "evaluated", 0, func(c Cell) float64 {
		if c.Summary.TrainingSamples == 0 { // an older run, which counted neither
			return math.NaN()
		}
		return float64(c.Summary.ForwardSamples)
	}}
	perRoundClients = measure{"clients_per_round", "clients a round", 1, func(c Cell) float64 {
		n := 0
		for _, r := range c.Rounds {
			n += len(r.Clients)
		}
		return float64(n) / float64(len(c.Rounds))
	}}
	perRound   = measure{"seconds_per_round", "a round", 3, func(c Cell) float64 { return c.Summary.SecondsPerRound }}
	samplesPer = measure{"samples_per_second", "samples/s", 0, func(c Cell) float64 { return c.Summary.SamplesPerSecond }}
	running    = measure{"seconds_running", "time", 3, func(c Cell) float64 { return c.beforeRounds() + c.Summary.Seconds.Rounds }}
	peakRSS    = measure{"peak_rss_bytes", "memory", 0, func(c Cell) float64 { return float64(c.Summary.PeakRSSBytes) }}
)

// accuracies are the measures of accuracy that tables show.
var accuracies = []measure{finalPre, finalPost, last10Pre, last10Post, bestPre, bestPost, swing}

// plain are the same with every sample counted alike. Only the CSV has them.
var plain = []measure{
	{"final_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Final.Pre.Accuracy.Mean }},
	{"final_post_plain", "", 2, func(c Cell) float64 { return overAll(c.Summary.Final).Accuracy.Mean }},
	{"last10_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Last10.Pre.Accuracy.Mean }},
	{"last10_post_plain", "", 2, func(c Cell) float64 { return c.Summary.Last10.Post.Accuracy.Mean }},
	{"best_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Best.Pre.Accuracy.Mean }},
	{"best_post_plain", "", 2, func(c Cell) float64 { return c.Summary.Best.Post.Accuracy.Mean }},
}

// overAll is the score after local training if it is over every client. One
// over a cohort is of other clients in every round, so it is not set beside it.
func overAll(p PrePost) Score {
	if p.PostOver == OverAll {
		return p.Post
	}
	return NoScore
}

var (
	joinedClients = measure{"joined_clients", "newcomers", 0, func(c Cell) float64 { return counted(int64(c.joined().Clients)) }}
	joinedPre     = measure{"joined_pre", "newcomers pre", 2, func(c Cell) float64 { return c.joined().Pre.Balanced.Mean }}
	joinedPost    = measure{"joined_post", "newcomers post", 2, func(c Cell) float64 { return c.joined().Post.Balanced.Mean }}
)

// joined is of the clients that joined during the run, or else of those that
// came after it.
func (c Cell) joined() Joined {
	for _, j := range []*Joined{c.Summary.Joined, c.Summary.HeldOut} {
		if j != nil {
			return *j
		}
	}
	return Joined{Pre: NoScore, Post: NoScore}
}

// Newcomers says whether clients joined during the runs or came after them.
func (c *Comparison) Newcomers() bool {
	for i := range c.Variants {
		if c.spread(&c.Variants[i], joinedClients).N > 0 {
			return true
		}
	}
	return false
}

// counted is a count that is never 0 where it was made.
func counted(n int64) float64 {
	if n == 0 {
		return math.NaN()
	}
	return float64(n)
}

func (c Cell) beforeRounds() float64 { return c.Summary.Seconds.Warmup + c.Summary.Seconds.Clustering }

// cost is what a run spent until it first reached an accuracy.
type cost struct {
	rounds, bytes, seconds float64 // NaN where it never did
}

// reach counts to the first evaluation of all clients before local training
// that is at or above target percent: rounds, bytes both ways and seconds, of
// warm-up, clustering and rounds, set-up left out.
func (c Cell) reach(target float64) cost {
	up, down := c.warmUpBytes()
	x := cost{0, float64(up + down), c.beforeRounds()}
	for _, r := range c.Rounds {
		x.rounds++
		x.bytes += float64(r.BytesUp + r.BytesDown)
		x.seconds += r.Seconds
		if r.Pre.Balanced.Mean >= target {
			return x
		}
	}
	return cost{math.NaN(), math.NaN(), math.NaN()}
}

// to are the measures of the cost of a target.
func to(target float64) (rounds, bytes, seconds measure) {
	at := strings.ReplaceAll(shortest(target), ".", "_")
	return measure{"rounds_to_" + at, "rounds", 0, func(c Cell) float64 { return c.reach(target).rounds }},
		measure{"bytes_to_" + at, "traffic", 0, func(c Cell) float64 { return c.reach(target).bytes }},
		measure{"seconds_to_" + at, "time", 3, func(c Cell) float64 { return c.reach(target).seconds }}
}

// measures are all of them, in the order of the CSV.
func (c *Comparison) measures() []measure {
	all := slices.Concat(accuracies, []measure{clusterCount, randIndex, joinedClients, joinedPre, joinedPost}, plain,
		[]measure{bytesUp, bytesDown, perRoundClients, trained, evaluated, running, perRound, samplesPer, peakRSS})
	for _, t := range c.Targets {
		rounds, bytes, seconds := to(t)
		all = append(all, rounds, bytes, seconds)
	}
	return all
}

// Seeds are those of any variant, ascending.
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

// values is a measure of a variant by seed, in the order of Seeds; NaN where there is no run.
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

func (c *Comparison) spread(v *Variant, m measure) Spread { return NewSpread(c.values(v, m)) }

// difference is of a variant from the reference, paired by seed.
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

// Settle checks what the caller filled in and fills the rest: the reference is
// the first variant unless named, the confidence 0.95, the target the multiple
// of 5 percent below the reference's last ten rounds before local training.
func (c *Comparison) Settle() error {
	if len(c.Variants) == 0 {
		return fmt.Errorf("a comparison of no runs")
	}
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
