package cli

import (
	"encoding/json"
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/report"
)

// loadScenario reads the scenario file, or its copy in the run directory if the run is resumed, and checks that its events
// are possible.
func (s *session) loadScenario() (err error) {
	o := s.o
	if o.scenario == "" {
		return nil
	}
	parse := federation.ParseScenario
	if o.recorded || o.resume != "" {
		parse = federation.ParseRecordedScenario
	}
	path := ""
	if s.scenario, path, err = s.input("scenario", o.scenario); err != nil {
		return fmt.Errorf("scenario: %w", err) // an *os.PathError names the file
	}
	if s.env.Scenario, err = parse(s.scenario); err == nil {
		err = s.env.CheckScenario(o.algorithm, o.alg)
	}
	if err != nil {
		return usageError{fmt.Errorf("scenario %s: %w", path, err)}
	}
	return nil
}

// canonicalScenario returns a scenario in a form that does not depend on the formatting of its file, for comparisons. It
// returns "" if there is no scenario.
func canonicalScenario(text []byte) (string, error) {
	if text == nil {
		return "", nil
	}
	s, err := federation.ParseRecordedScenario(text)
	if err != nil {
		return "", err
	}
	canonical, err := json.Marshal(s)
	return string(canonical), err
}

const historyPlot = "plots/assignments"

// history reads the changes of the clients' clusters and plots them.
func (s *session) history(rounds int) ([]report.Assignment, error) {
	list, err := s.dir.ReadAssignments()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if !slices.ContainsFunc(list, func(a report.Assignment) bool { return a.Why != federation.AtStart }) {
		return list, nil // there is nothing to plot
	}
	figure, err := report.AssignmentPlot("Clusters of the clients over time\n"+s.title(), len(s.env.Clients), rounds, list)
	if err != nil {
		return nil, err
	}
	return list, s.dir.WritePlot(historyPlot, figure, s.o.plots)
}

// tellMoves prints a line for every kind of change of the clients.
func (p *progress) tellMoves(t int, moves []federation.Move) {
	round := federation.RoundNumber(t)
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
			p.say("before round %d: %d clients joined, balanced accuracy %.1f%% as they arrived, %.1f%% after one local training", round, n,
				report.NewScore(pre).Balanced.Mean, report.NewScore(post).Balanced.Mean)
		case federation.ByLeave:
			p.say("before round %d: %d clients left", round, n)
		case federation.ByShift:
			p.say("before round %d: the data of %d clients changed", round, n)
		case federation.ByCheck:
			p.say("before round %d: %d clients were found changed, %d of them moved", round, n, moved)
		case federation.BySearch:
			p.say("before round %d: a new search for the clusters moved %d clients", round, n)
		}
	}
}
