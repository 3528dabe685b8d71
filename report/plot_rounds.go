package report

import (
	"math"

	"feddag/report/plot"
)

// PlotRounds draws plots/accuracy, plots/cohort and plots/loss from the rounds
// of a run called name ("FedDAG on fashion-mnist, seed 1"). formats must have
// SVG, which the report page shows.
func (d *Dir) PlotRounds(name string, rounds []Round, formats []plot.Format) ([]Plot, error) {
	var plots []Plot
	for _, p := range []struct {
		Plot
		chart plot.LineChart
	}{
		{
			Plot{"plots/accuracy", "What the server's models do for all clients, round by round, without any local training."},
			accuracyChart("Accuracy before local training\n"+name+": every client's test set, mean over clients; band: one standard deviation over clients (balanced accuracy)",
				roundSeries("balanced accuracy", rounds, true, func(r Round) Stat { return r.Pre.Balanced }),
				dashed(roundSeries("plain accuracy", rounds, false, func(r Round) Stat { return r.Pre.Accuracy }))),
		},
		{
			Plot{"plots/cohort", "What a round's local training adds. The cohort changes from round to round, so these curves are rougher than those over all clients."},
			accuracyChart("Balanced accuracy before and after local training\n"+name+": test sets of the clients sampled in the round, mean over them; band: one standard deviation over them",
				roundSeries("before this round's local training", rounds, true, func(r Round) Stat { return r.CohortPre.Balanced }),
				roundSeries("after this round's local training", rounds, true, func(r Round) Stat { return r.CohortPost.Balanced })),
		},
		{
			Plot{"plots/loss", ""},
			plot.LineChart{
				Title:  "Training loss\n" + name + ": cross-entropy on the sampled clients' training data in the last local epoch, mean over them",
				XLabel: "round", YLabel: "cross-entropy, nats", IntegerX: true, MaxY: math.Inf(1),
				Series: []plot.Series{roundSeries("training loss", rounds, false, func(r Round) Stat { return Stat{Mean: r.TrainLoss} })},
			},
		},
	} {
		figure, err := plot.Lines(p.chart)
		if err != nil {
			return nil, err
		}
		if err := d.WritePlot(p.Name, figure, formats); err != nil {
			return nil, err
		}
		plots = append(plots, p.Plot)
	}
	return plots, nil
}

// accuracyChart has accuracies in percent against the round.
func accuracyChart(title string, series ...plot.Series) plot.LineChart {
	return plot.LineChart{Title: title, XLabel: "round", YLabel: "accuracy, percent", IntegerX: true, MaxY: 100, Series: series}
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
