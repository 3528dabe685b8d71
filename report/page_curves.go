package report

import (
	"math"

	"feddag/report/plot"
)

// roundCurves returns the curves of a run against rounds and traffic. There are none for a run with fewer than two rounds.
func roundCurves(s Summary, rounds []Round) ([]drawing, error) {
	if len(rounds) < 2 {
		return nil, nil
	}
	var drawings []drawing
	for _, c := range append(roundCharts("", rounds), trafficChart(s, rounds)) {
		html, err := c.chart.HTML()
		if err != nil {
			return nil, err
		}
		drawings = append(drawings, drawing{Title: c.title, Text: c.text, HTML: html})
	}
	return drawings, nil
}

// trafficChart returns the chart of accuracy against traffic.
func trafficChart(s Summary, rounds []Round) roundChart {
	unit, name := 1e6, "MB"
	if s.BytesUp+s.BytesDown >= 2e9 {
		unit, name = 1e9, "GB"
	}
	spent := Cell{Summary: s, Rounds: rounds}
	up, down := spent.warmUpBytes()
	series := plot.Series{Name: "balanced accuracy"}
	for _, r := range rounds {
		up, down = up+r.BytesUp, down+r.BytesDown
		if v := r.Pre.Balanced.Mean; !math.IsNaN(v) {
			series.X, series.Y = append(series.X, float64(up+down)/unit), append(series.Y, v)
		}
	}
	return roundChart{
		title: "Accuracy before local training, by traffic", text: "Mean accuracy over all clients, against the traffic of all clients up and down, with the warm-up.",
		chart: plot.LineChart{Title: "Accuracy by traffic", XLabel: "traffic, " + name, YLabel: "balanced accuracy, percent", MaxY: 100, Series: []plot.Series{series}},
	}
}
