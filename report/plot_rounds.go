package report

import (
	"io"
)

// Plot is a drawing of the run, for the report page.
type Plot struct {
	File string // path inside the run directory, an SVG
	Text string // a sentence under the drawing; may be empty
}

// PlotRounds draws plots/accuracy.svg, plots/cohort.svg and plots/loss.svg
// from the rounds of a run called name ("FedDAG on fashion-mnist, seed 1").
func (d *Dir) PlotRounds(name string, rounds []Round) ([]Plot, error) {
	type drawing struct {
		Plot
		draw func(io.Writer) error
	}
	var plots []Plot
	for _, p := range []drawing{
		{Plot{File: "plots/accuracy.svg", Text: "What the server's models do for all clients, round by round, without any local training."},
			func(w io.Writer) error {
				return AccuracyPlot(w, "Accuracy before local training\n"+name+": every client's test set, mean over clients; band: one standard deviation over clients (balanced accuracy)",
					[]Series{
						RoundSeries("balanced accuracy", rounds, true, func(r Round) Stat { return r.Pre.Balanced }),
						dashed(RoundSeries("plain accuracy", rounds, false, func(r Round) Stat { return r.Pre.Accuracy })),
					})
			}},
		{Plot{File: "plots/cohort.svg", Text: "What a round's local training adds. The cohort changes from round to round, so these curves are rougher than those over all clients."},
			func(w io.Writer) error {
				return AccuracyPlot(w, "Balanced accuracy before and after local training\n"+name+": test sets of the clients sampled in the round, mean over them; band: one standard deviation over them",
					[]Series{
						RoundSeries("before this round's local training", rounds, true, func(r Round) Stat { return r.CohortPre.Balanced }),
						RoundSeries("after this round's local training", rounds, true, func(r Round) Stat { return r.CohortPost.Balanced }),
					})
			}},
		{Plot{File: "plots/loss.svg"},
			func(w io.Writer) error {
				return LossPlot(w, "Training loss\n"+name+": cross-entropy on the sampled clients' training data in the last local epoch, mean over them",
					[]Series{RoundSeries("training loss", rounds, false, func(r Round) Stat { return Stat{Mean: r.TrainLoss} })})
			}},
	} {
		if err := d.WriteFile(p.File, p.draw); err != nil {
			return nil, err
		}
		plots = append(plots, p.Plot)
	}
	return plots, nil
}

func dashed(s Series) Series {
	s.Dashed = true
	return s
}
