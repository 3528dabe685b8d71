package report

import (
	"math"
	"slices"
	"strings"
)

// measure is a number of a run that is compared.
type measure struct {
	key     string // name in CSV and JSON
	heading string // heading in tables
	places  int
	of      func(Cell) float64
}

// The measures. Accuracies are in percent.
var (
	finalPre   = measure{"final_pre", "final pre", 2, func(c Cell) float64 { return c.Summary.Final.Pre.Balanced.Mean }}
	finalPost  = measure{"final_post", "final post", 2, func(c Cell) float64 { return overAll(c.Summary.Final).Balanced.Mean }}
	last10Pre  = measure{"last10_pre", "last-10 pre", 2, func(c Cell) float64 { return c.Summary.Last10.Pre.Balanced.Mean }}
	last10Post = measure{"last10_post", "last-10 post", 2, func(c Cell) float64 { return c.Summary.Last10.Post.Balanced.Mean }}
	bestPre    = measure{"best_pre", "best pre", 2, func(c Cell) float64 { return c.Summary.Best.Pre.Balanced.Mean }}
	bestPost   = measure{"best_post", "best post", 2, func(c Cell) float64 { return c.Summary.Best.Post.Balanced.Mean }}
	swing      = measure{"swing", "swing", 2, func(c Cell) float64 { return float64(c.Summary.Swing) }}

	clusterCount = measure{"clusters", "clusters", 1, func(c Cell) float64 { return float64(c.Summary.Clusters) }}
	randIndex    = measure{"adjusted_rand_index", "ARI", 3, func(c Cell) float64 { return orNaN(c.Summary.AdjustedRandIndex) }}

	// Measures of newcomers.
	joinedClients = measure{"joined_clients", "newcomers", 0, func(c Cell) float64 { return counted(int64(c.joined().Clients)) }}
	joinedPre     = measure{"joined_pre", "newcomers pre", 2, func(c Cell) float64 { return c.joined().Pre.Balanced.Mean }}
	joinedPost    = measure{"joined_post", "newcomers post", 2, func(c Cell) float64 { return c.joined().Post.Balanced.Mean }}

	bytesUp   = measure{"bytes_up", "up", 0, func(c Cell) float64 { return float64(c.Summary.BytesUp) }}
	bytesDown = measure{"bytes_down", "down", 0, func(c Cell) float64 { return float64(c.Summary.BytesDown) }}
	traffic   = measure{"bytes", "traffic", 0, func(c Cell) float64 { return float64(c.Summary.BytesUp + c.Summary.BytesDown) }}
	trained   = measure{"training_samples", "trained on", 0, func(c Cell) float64 { return counted(c.Summary.TrainingSamples) }}
	evaluated = measure{"forward_samples", "evaluated", 0, func(c Cell) float64 {
		if c.Summary.TrainingSamples == 0 { // a run of an older version, which counted neither
			return math.NaN()
		}
		return float64(c.Summary.ForwardSamples)
	}}
	perRoundClients = measure{"clients_per_round", "clients per round", 1, func(c Cell) float64 {
		n := 0
		for _, r := range c.Rounds {
			n += len(r.Clients)
		}
		return float64(n) / float64(len(c.Rounds))
	}}
	perRound   = measure{"seconds_per_round", "per round", 3, func(c Cell) float64 { return c.Summary.SecondsPerRound }}
	samplesPer = measure{"samples_per_second", "samples/s", 0, func(c Cell) float64 { return c.Summary.SamplesPerSecond }}
	running    = measure{"seconds_running", "time", 3, func(c Cell) float64 { return c.beforeRounds() + c.Summary.Seconds.Rounds }}
	peakRSS    = measure{"peak_rss_bytes", "memory", 0, func(c Cell) float64 { return float64(c.Summary.PeakRSSBytes) }}
)

// accuracies are the measures of accuracy in the tables.
var accuracies = []measure{finalPre, finalPost, last10Pre, last10Post, bestPre, bestPost, swing}

// plain are the same measures of plain accuracy, in which every sample counts equally. Only the CSV has them.
var plain = []measure{
	{"final_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Final.Pre.Accuracy.Mean }},
	{"final_post_plain", "", 2, func(c Cell) float64 { return overAll(c.Summary.Final).Accuracy.Mean }},
	{"last10_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Last10.Pre.Accuracy.Mean }},
	{"last10_post_plain", "", 2, func(c Cell) float64 { return c.Summary.Last10.Post.Accuracy.Mean }},
	{"best_pre_plain", "", 2, func(c Cell) float64 { return c.Summary.Best.Pre.Accuracy.Mean }},
	{"best_post_plain", "", 2, func(c Cell) float64 { return c.Summary.Best.Post.Accuracy.Mean }},
}

// clientBest are the means over each client's best round. Only the CSV has them.
var clientBest = []measure{
	{"client_best_pre", "", 2, func(c Cell) float64 { return c.clientBest().Pre.Balanced.Mean }},
	{"client_best_post", "", 2, func(c Cell) float64 { return c.clientBest().Post.Balanced.Mean }},
	{"client_best_any", "", 2, func(c Cell) float64 { return c.clientBest().Any.Balanced.Mean }},
}

func (c Cell) clientBest() ClientBest {
	if b := c.Summary.ClientBest; b != nil {
		return *b
	}
	return ClientBest{NoScore, NoScore, NoScore}
}

// overAll returns the score after local training if it is over all clients. A score over a cohort is not comparable because
// the clients differ from round to round.
func overAll(p RoundScores) Score {
	if p.PostOver == OverAll {
		return p.Post
	}
	return NoScore
}

// joined returns the accuracies of the clients that joined during the run or, if there are none, of those that came after it.
func (c Cell) joined() Joined {
	switch {
	case c.Summary.Joined != nil:
		return *c.Summary.Joined
	case c.Summary.HeldOut != nil:
		return c.Summary.HeldOut.Joined
	}
	return Joined{Pre: NoScore, Post: NoScore}
}

// counted returns a count as a number, or NaN for 0, which means that it was not counted.
func counted(n int64) float64 {
	if n == 0 {
		return math.NaN()
	}
	return float64(n)
}

func (c Cell) beforeRounds() float64 { return c.Summary.Seconds.Warmup + c.Summary.Seconds.Clustering }

// cost is the cost of a run until it first reached an accuracy.
type cost struct {
	rounds, bytes, seconds float64 // NaN if it never did
}

// reach returns the rounds, the bytes in both directions and the seconds up to the first evaluation of all clients before
// local training that is at or above target percent. Bytes and seconds include warm-up, clustering and rounds, but not
// set-up.
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

// to returns the measures of the cost of a target.
func to(target float64) (rounds, bytes, seconds measure) {
	at := strings.ReplaceAll(shortest(target), ".", "_")
	return measure{"rounds_to_" + at, "rounds", 0, func(c Cell) float64 { return c.reach(target).rounds }},
		measure{"bytes_to_" + at, "traffic", 0, func(c Cell) float64 { return c.reach(target).bytes }},
		measure{"seconds_to_" + at, "time", 3, func(c Cell) float64 { return c.reach(target).seconds }}
}

// measures returns all measures, in the order of the CSV.
func (c *Comparison) measures() []measure {
	all := slices.Concat(accuracies, []measure{clusterCount, randIndex, joinedClients, joinedPre, joinedPost}, plain, clientBest,
		[]measure{bytesUp, bytesDown, perRoundClients, trained, evaluated, running, perRound, samplesPer, peakRSS})
	all = append(all, c.equalPre())
	for _, t := range c.Targets {
		rounds, bytes, seconds := to(t)
		all = append(all, rounds, bytes, seconds)
	}
	return all
}
