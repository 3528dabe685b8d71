package report

import (
	"fmt"

	"feddag/federation"
	"feddag/report/plot"
)

// AssignmentPlot draws the cluster of each of n clients in each of the given number of rounds.
func AssignmentPlot(title string, n, rounds int, list []Assignment) (*plot.Figure, error) {
	table, err := assignmentTable(n, rounds, list)
	if err != nil {
		return nil, fmt.Errorf("plot %q: %w", title, err)
	}
	return plot.Assignments(title, table, rounds), nil
}

// assignmentTable returns each client's cluster in each round, with round t in column t-1. The cluster is -1 if the client is
// not present. A change in a round takes effect in the next round.
func assignmentTable(n, rounds int, list []Assignment) ([][]int, error) {
	table := make([][]int, n)
	for i := range table {
		table[i] = make([]int, rounds)
		for t := range table[i] {
			table[i][t] = -1
		}
	}
	for _, a := range list {
		if a.Client < 0 || a.Client >= n || a.Round < 0 {
			return nil, fmt.Errorf("client %d of %d is assigned in round %d", a.Client, n, a.Round)
		}
		z := -1
		if a.To != nil {
			z = *a.To
		}
		from := max(1, a.Round)
		if a.Why == federation.ByRound {
			from++
		}
		for t := from; t <= rounds; t++ {
			table[a.Client][t-1] = z
		}
	}
	return table, nil
}

// historyDrawing draws the clusters of the clients over time. It returns nil if they did not change.
func historyDrawing(p Page) (*drawing, error) {
	n := 0
	moved := false
	for _, a := range p.Assignments {
		n = max(n, a.Client+1)
		moved = moved || a.Why != federation.AtStart
	}
	if !moved {
		return nil, nil
	}
	table, err := assignmentTable(n, len(p.Rounds), p.Assignments)
	if err != nil {
		return nil, err
	}
	html, err := plot.AssignmentsHTML(table, 1, len(p.Rounds))
	if err != nil {
		return nil, err
	}
	return &drawing{Title: "Clusters of the clients over time", Text: "One row per client, sorted by its first cluster. Empty where the client was not there.", HTML: html}, nil
}
