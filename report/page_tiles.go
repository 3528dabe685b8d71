package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// tile is a headline number with its definition.
type tile struct{ Name, Value, Spread, Text string }

// tiles returns the headline numbers of a run.
func (s Summary) tiles(clients []Client) []tile {
	var tiles []tile
	accuracy := func(name string, v Stat, text string) {
		if finite(v.Mean) {
			tiles = append(tiles, tile{name, numfmt.Decimal(v.Mean, 1) + "%", "± " + numfmt.Decimal(v.Std, 1), text})
		}
	}
	over := map[string]string{OverCohort: "the clients sampled in the last round, after their training", OverAll: "all clients, each trained once more on its own data"}
	accuracy("Before local training", s.Final.Pre.Balanced, "balanced accuracy of the last round: mean ± standard deviation over all clients")
	accuracy("After local training", s.Final.Post.Balanced, "balanced accuracy of "+over[s.Final.PostOver])
	if worst := worstTenth(clients); len(worst) > 0 {
		sum := 0.0
		for _, c := range worst {
			sum += c.Pre.Balanced
		}
		tiles = append(tiles, tile{"Worst tenth", numfmt.Decimal(sum/float64(len(worst)), 1) + "%", "", fmt.Sprintf("mean over the %s of the lowest balanced accuracy before local training", numfmt.Count(len(worst), "client"))})
	}
	if s.Clusters > 0 {
		text := "at the end of the run"
		if s.FoundBy != "" {
			text += ", found by " + s.FoundBy
		}
		if s.AdjustedRandIndex != nil {
			text += fmt.Sprintf("; adjusted Rand index %.3f against the true groups (1: equal, 0: chance)", *s.AdjustedRandIndex)
		}
		tiles = append(tiles, tile{"Clusters", numfmt.Thousands(float64(s.Clusters)), "", text})
	}
	return append(tiles,
		tile{"Traffic", numfmt.Bytes(s.BytesUp + s.BytesDown), "", fmt.Sprintf("%s up, %s down: all clients, warm-up included", numfmt.Bytes(s.BytesUp), numfmt.Bytes(s.BytesDown))},
		tile{"Time", duration(s.Seconds.Total), "", duration(s.SecondsPerRound) + " per round (median), evaluation included"})
}

// measuredClients returns the clients with an accuracy before local training, the lowest first.
func measuredClients(clients []Client) []Client {
	sorted := slices.DeleteFunc(slices.Clone(clients), func(c Client) bool { return !finite(c.Pre.Balanced) })
	slices.SortStableFunc(sorted, func(a, b Client) int {
		switch {
		case a.Pre.Balanced < b.Pre.Balanced:
			return -1
		case a.Pre.Balanced > b.Pre.Balanced:
			return 1
		}
		return 0
	})
	return sorted
}

// worstTenth returns the tenth of the clients, at least one, with the lowest balanced accuracy before local training.
func worstTenth(clients []Client) []Client {
	sorted := measuredClients(clients)
	return sorted[:(len(sorted)+9)/10]
}

// lowestListed is the smallest number of clients that the page lists.
const lowestListed = 10

type worstView struct {
	InTenth            bool
	Client, Samples    int
	Cluster, Pre, Post string
}

// setClients fills in the part of the page about single clients.
func (v *view) setClients(clients []Client) {
	sorted, worst := measuredClients(clients), worstTenth(clients)
	if len(sorted) == 0 {
		return
	}
	bars := plot.SortedBars{
		Alt: "Balanced accuracy of each client before local training, the lowest first", XLabel: "clients, the lowest first", YLabel: "balanced accuracy, percent",
		First: len(worst),
	}
	sum := 0.0
	for _, c := range sorted {
		bars.Values = append(bars.Values, c.Pre.Balanced)
		bars.Names = append(bars.Names, fmt.Sprintf("client %d: %.1f", c.Client, c.Pre.Balanced))
		sum += c.Pre.Balanced
	}
	bars.Mean = sum / float64(len(sorted))
	v.ClientsNote = fmt.Sprintf("Balanced accuracy before local training of %s, each on its own test set, as last measured. Half of the clients lie between %.1f and %.1f percent.",
		numfmt.Count(len(sorted), "client"), bars.Values[len(sorted)/4], bars.Values[len(sorted)-1-len(sorted)/4])
	v.Distribution = drawing{Title: "Each client", HTML: bars.HTML()}
	for i, c := range sorted[:max(len(worst), min(len(sorted), lowestListed))] {
		row := worstView{InTenth: i < len(worst), Client: c.Client, Samples: c.TrainSamples, Cluster: number(c.Cluster), Pre: numfmt.Decimal(c.Pre.Balanced, 1), Post: "–"}
		if finite(c.Post.Balanced) {
			row.Post = numfmt.Decimal(c.Post.Balanced, 1)
		}
		v.Worst = append(v.Worst, row)
	}
}

// chart draws the time of the stages and the rest of the total time.
func (s Seconds) chart() template.HTML {
	var parts []plot.Part
	rest := s.Total - s.Other
	for _, p := range []plot.Part{
		{Name: "set-up", Value: s.Setup}, {Name: "warm-up", Value: s.Warmup}, {Name: "clustering", Value: s.Clustering}, {Name: "rounds", Value: s.Rounds},
		{Name: "training of arrivals", Value: s.Arrival}, {Name: "last local training", Value: s.Final}, {Name: "newcomers", Value: s.Newcomers},
		{Name: "evaluation outside of the rounds", Value: s.Evaluation}, {Name: "files", Value: s.Files},
	} {
		if rest -= p.Value; p.Value >= 0.0005 {
			p.Text = duration(p.Value)
			parts = append(parts, p)
		}
	}
	if rest += s.Other; rest > 0.005*math.Abs(s.Total) { // earlier versions did not have all stages
		parts = append(parts, plot.Part{Name: "other", Text: duration(rest), Value: rest})
	}
	return plot.StackHTML("Time by phase", parts)
}
