package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"feddag/federation"
	"feddag/report"
)

// story reads the scenario, of a run to resume from its directory, and finds what cannot happen.
func (s *session) story() (err error) {
	o := s.o
	path := o.scenario
	if path == "" {
		return nil
	}
	if o.resume != "" {
		path = s.dir.Path(scenarioFile)
	}
	if s.scenario, err = os.ReadFile(path); err != nil {
		return fmt.Errorf("scenario: %w", err) // an *os.PathError names the file
	}
	if s.env.Scenario, err = federation.ParseScenario(s.scenario); err == nil {
		err = s.env.CheckScenario(o.algorithm, o.alg)
	}
	if err != nil {
		return usageError{fmt.Errorf("scenario %s: %w", path, err)}
	}
	return nil
}

const historyPlot = "plots/assignments.svg"

// history reads what became of the clients, and draws it.
func (s *session) history(rounds int) ([]report.Assignment, []report.Plot, error) {
	list, err := s.dir.ReadAssignments()
	if err != nil || len(list) == 0 {
		return nil, nil, err
	}
	if !slices.ContainsFunc(list, func(a report.Assignment) bool { return a.Why != federation.AtStart }) {
		return list, nil, nil // nothing to see
	}
	err = s.dir.WriteFile(historyPlot, func(w io.Writer) error {
		return report.AssignmentPlot(w, "Clusters of the clients over time\n"+s.title(), len(s.env.Clients), rounds, list)
	})
	return list, []report.Plot{{File: historyPlot, Text: "Which cluster each client was in; white where it was not there."}}, err
}

// assignments are a round's lines of assignments.jsonl.
func assignments(r federation.RoundResult) []report.Assignment {
	list := make([]report.Assignment, len(r.Moves))
	for k, m := range r.Moves {
		list[k] = report.Assignment{
			Round: r.Round, Client: m.Client, From: orNull(m.From), To: orNull(m.To), Why: m.Why,
			Pre: clientScore(m.Pre), Post: clientScore(m.Post),
		}
	}
	return list
}

func orNull(cluster int) *int {
	if cluster < 0 {
		return nil
	}
	return &cluster
}

// clientScore is in percent; nil where there is no score.
func clientScore(s federation.Score) *report.ClientScore {
	if math.IsNaN(s.Balanced) {
		return nil
	}
	return &report.ClientScore{Balanced: 100 * s.Balanced, Accuracy: 100 * s.Accuracy}
}

// joined sums up how the newcomers of a run did as they arrived; nil if there was none.
func joined(history []report.Assignment) *report.Joined {
	j := &report.Joined{}
	var values [4][]float64
	for _, a := range history {
		if a.Why != federation.ByJoin {
			continue
		}
		j.Clients++
		for k, s := range []*report.ClientScore{a.Pre, a.Post} {
			if s != nil {
				values[2*k], values[2*k+1] = append(values[2*k], s.Balanced), append(values[2*k+1], s.Accuracy)
			}
		}
	}
	if j.Clients == 0 {
		return nil
	}
	j.Pre = report.Score{Balanced: report.NewStat(values[0]), Accuracy: report.NewStat(values[1])}
	j.Post = report.Score{Balanced: report.NewStat(values[2]), Accuracy: report.NewStat(values[3])}
	return j
}

// tellMoves says a line for every kind of thing that happened to the clients.
func (p *progress) tellMoves(round int, moves []federation.Move) {
	for len(moves) > 0 {
		why, n := moves[0].Why, 0
		var pre, post []federation.Score
		moved := 0
		for n < len(moves) && moves[n].Why == why {
			if moves[n].From != moves[n].To {
				moved++
			}
			pre, post = append(pre, moves[n].Pre), append(post, moves[n].Post)
			n++
		}
		moves = moves[n:]
		switch why {
		case federation.ByJoin:
			p.say("before round %d: %d clients joined, balanced accuracy %.1f%% as they arrived, %.1f%% after one local training", round+1, n,
				score(pre).Balanced.Mean, score(post).Balanced.Mean)
		case federation.ByLeave:
			p.say("before round %d: %d clients left", round+1, n)
		case federation.ByShift:
			p.say("before round %d: the data of %d clients changed", round+1, n)
		case federation.ByCheck:
			p.say("before round %d: %d clients were found changed, %d of them moved", round+1, n, moved)
		case federation.BySearch:
			p.say("before round %d: a new search for the clusters moved %d clients", round+1, n)
		}
	}
}
