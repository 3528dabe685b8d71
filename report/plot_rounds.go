package report

import (
	"math"

	"feddag/report/plot"
)

// roundChart is a chart of the rounds.
type roundChart struct {
	file        string // name of the file without its suffix; empty for a chart that only the page has
	title, text string
	chart       plot.LineChart
}

// roundCharts returns the charts of the rounds of the run with the given name, such as "FedDAG on fashion-mnist, seed 1".
func roundCharts(name string, rounds []Round) []roundChart {
	charts := []roundChart{
		{
			file: "plots/accuracy", title: "Accuracy before local training",
			text: "Every client's test set, mean over clients; band: one standard deviation over clients (balanced accuracy).",
			chart: accuracyChart(
				roundSeries("balanced accuracy", rounds, true, func(r Round) Stat { return r.Pre.Balanced }),
				dashed(roundSeries("plain accuracy", rounds, false, func(r Round) Stat { return r.Pre.Accuracy }))),
		},
		{
			file: "plots/cohort", title: "Balanced accuracy before and after local training",
			text: "Test sets of the clients sampled in the round, mean over them; band: one standard deviation over them. Other clients are sampled in every round, so these curves are rougher.",
			chart: accuracyChart(
				roundSeries("before this round's local training", rounds, true, func(r Round) Stat { return r.CohortPre.Balanced }),
				roundSeries("after this round's local training", rounds, true, func(r Round) Stat { return r.CohortPost.Balanced })),
		},
		{
			file: "plots/loss", title: "Training loss",
			text: "Cross-entropy on the sampled clients' training data in the last local epoch, mean over them.",
			chart: plot.LineChart{
				XLabel: "round", YLabel: "cross-entropy, nats", IntegerX: true, MaxY: math.Inf(1),
				Series: []plot.Series{roundSeries("training loss", rounds, false, func(r Round) Stat { return Stat{Mean: r.TrainLoss} })},
			},
		},
	}
	for i := range charts {
		charts[i].chart.Title = charts[i].title + "\n" + name + ": " + charts[i].text
	}
	return charts
}

// PlotRounds draws plots/accuracy, plots/cohort and plots/loss from the rounds of the run with the given name, such as
// "FedDAG on fashion-mnist, seed 1".
func (d *Dir) PlotRounds(name string, rounds []Round, formats []plot.Format) error {
	for _, p := range roundCharts(name, rounds) {
		figure, err := plot.Lines(p.chart)
		if err != nil {
			return err
		}
		if err := d.WritePlot(p.file, figure, formats); err != nil {
			return err
		}
	}
	return nil
}

// accuracyChart returns a chart of accuracies in percent against the round.
func accuracyChart(series ...plot.Series) plot.LineChart {
	return plot.LineChart{XLabel: "round", YLabel: "accuracy, percent", IntegerX: true, MaxY: 100, Series: series}
}

// roundSeries returns one measure of the rounds in which it was measured. If band is set, it has a band
// of one standard deviation over clients.
func roundSeries(name string, rounds []Round, band bool, of func(Round) Stat) plot.Series {
	s := plot.Series{Name: name}
	for _, r := range rounds {
		v := of(r)
		if math.IsNaN(v.Mean) {
			continue
		}
		s.X = append(s.X, float64(r.Round))
		s.Y = append(s.Y, v.Mean)
		if band {
			s.Low = append(s.Low, v.Mean-v.Std)
			s.High = append(s.High, v.Mean+v.Std)
		}
	}
	return s
}

func dashed(s plot.Series) plot.Series {
	s.Dashed = true
	return s
}
