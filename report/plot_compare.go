package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

const (
	// leadersPlot is the plot of the best half of the algorithms.
	leadersPlot = "plots/leaders"
	// leadersFrom is the smallest number of algorithms with which the page shows leadersPlot. With fewer, the best half would
	// be a single line.
	leadersFrom = 4
	// cohortPlot is the plot of the clients sampled in a round.
	cohortPlot = "plots/cohort"
)

// comparePlots are the plots of a comparison.
var comparePlots = []struct {
	file, title, text string
	of                func(*Comparison) plot.RankedChart
}{
	{"plots/accuracy", "Accuracy before local training", "What the server's models do for all clients, without any local training.",
		func(c *Comparison) plot.RankedChart { return c.chart(c.before()) }},
	{leadersPlot, "The upper part", "The same curves, cut to the range of the upper half. A line below that range runs along its lower edge.",
		func(c *Comparison) plot.RankedChart { return narrow(c.chart(c.before())) }},
	{cohortPlot, "Accuracy after local training", "Accuracy of the clients sampled in the round, after the round's local training. Each round samples other clients, so these curves are rougher.",
		func(c *Comparison) plot.RankedChart { return c.chart(c.after()) }},
	{"plots/traffic", "Accuracy before local training, by traffic", "The first chart, by the traffic of all clients, up and down, warm-up included.",
		func(c *Comparison) plot.RankedChart { return c.chart(c.byTraffic()) }},
}

// curve plots one number of a round against another.
type curve struct {
	title, what    string
	xLabel, yLabel string
	integerX       bool
	x              func(c Cell, i int) float64 // x value of c.Rounds[i]
	y              func(r Round) float64
}

func completed(c Cell, i int) float64 { return float64(c.Rounds[i].Round) }

func (c *Comparison) before() curve {
	return curve{
		title: "Accuracy before local training", what: fmt.Sprintf("balanced accuracy of the server's models, mean over all %d clients, each on %s", c.Clients, c.testSet()),
		xLabel: "rounds completed", yLabel: "balanced accuracy, percent", integerX: true,
		x: completed, y: func(r Round) float64 { return r.Pre.Balanced.Mean },
	}
}

func (c *Comparison) after() curve {
	return curve{
		title: "Accuracy after local training", what: fmt.Sprintf("balanced accuracy of the clients sampled in the round, each on %s after the round's local training; other clients every round", c.testSet()),
		xLabel: "rounds completed", yLabel: "balanced accuracy, percent", integerX: true,
		x: completed, y: func(r Round) float64 { return r.CohortPost.Balanced.Mean },
	}
}

func (c *Comparison) byTraffic() curve {
	unit, name := 1e6, "MB"
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			if cell.Summary.BytesUp+cell.Summary.BytesDown >= 2e9 {
				unit, name = 1e9, "GB"
			}
		}
	}
	return curve{
		title: "Accuracy before local training, by traffic", what: fmt.Sprintf("balanced accuracy of the server's models, mean over all %d clients, each on %s; traffic of all clients both ways, warm-up included", c.Clients, c.testSet()),
		xLabel: "traffic, " + name, yLabel: "balanced accuracy, percent",
		x: func(cell Cell, i int) float64 {
			up, down := cell.warmUpBytes()
			for _, r := range cell.Rounds[:i+1] {
				up, down = up+r.BytesUp, down+r.BytesDown
			}
			return float64(up+down) / unit
		},
		y: func(r Round) float64 { return r.Pre.Balanced.Mean },
	}
}

// narrow limits the y-axis of a chart to the range that the upper half of the lines covers in the second half of the rounds,
// so that these lines can be told apart even if others are far below.
func narrow(c plot.RankedChart) plot.RankedChart {
	c.Title = strings.Replace(c.Title, "\n", ": the upper part\n", 1)
	var lasts []float64
	for _, s := range c.Series {
		lasts = append(lasts, s.Last())
	}
	slices.Sort(lasts)
	middle := lasts[len(lasts)/2]
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		if s.Last() < middle {
			continue
		}
		for j := len(s.Y) / 2; j < len(s.Y); j++ {
			low, high = math.Min(low, s.Y[j]), math.Max(high, s.Y[j])
			if s.High != nil {
				high = math.Max(high, s.High[j])
			}
		}
	}
	if margin := 0.05 * (high - low); margin > 0 {
		c.Low, c.High = math.Max(0, low-margin), math.Min(100, high+margin)
	}
	return c
}

// chart returns a chart with a line for every variant: the mean over its seeds at the rounds that were measured with all
// seeds, and a band from the lowest seed to the highest.
func (c *Comparison) chart(k curve) plot.RankedChart {
	chart := plot.RankedChart{
		Title:  k.title + "\n" + k.what + "\n" + fmt.Sprintf("%s, %s, %s. Line: mean over seeds; band: from the lowest seed to the highest; legend: last value", c.DatasetTitle, c.Partition, numfmt.Count(c.Clients, "client")),
		XLabel: k.xLabel, YLabel: k.yLabel, IntegerX: k.integerX, Strong: -1,
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		if v.Name == c.Reference && len(c.Variants) > 1 {
			chart.Strong = i
		}
		s := plot.Series{Name: v.Name}
		n := math.MaxInt
		for _, cell := range v.Cells {
			n = min(n, len(cell.Rounds))
		}
		for t := range n {
			x, y := make([]float64, len(v.Cells)), make([]float64, len(v.Cells))
			low, high := math.Inf(1), math.Inf(-1)
			for j, cell := range v.Cells {
				x[j], y[j] = k.x(cell, t), k.y(cell.Rounds[t])
				low, high = math.Min(low, y[j]), math.Max(high, y[j]) // NaN if one of them is
			}
			if !finite(low) || !finite(high) {
				continue
			}
			s.X, s.Y = append(s.X, NewSpread(x).Mean), append(s.Y, NewSpread(y).Mean)
			if len(v.Cells) > 1 {
				s.Low, s.High = append(s.Low, low), append(s.High, high)
			}
		}
		chart.Series = append(chart.Series, s)
	}
	return chart
}
