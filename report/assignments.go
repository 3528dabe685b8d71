package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"feddag/federation"
)

// AssignmentsFile has one Assignment per line.
const AssignmentsFile = "assignments.jsonl"

// Assignment is an event of a client: it joins, leaves, is assigned to a cluster, or its data change.
type Assignment struct {
	Round  int               `json:"round"` // round before which the event happens, or in which it happens if Why is "round"; 0 if Why is "start"
	Client int               `json:"client"`
	From   *int              `json:"from"` // cluster before the event; null if the client was not present
	To     *int              `json:"to"`   // cluster after the event; null if the client left
	Why    federation.Reason `json:"why"`

	// Pre and Post are set for a client that joins: its accuracies on its test set in percent with the model that it
	// receives, and after one local training of this model.
	Pre  *ClientScore `json:"pre,omitempty"`
	Post *ClientScore `json:"post,omitempty"`
}

// MarshalJSON adds the version of the line as the first key.
func (a Assignment) MarshalJSON() ([]byte, error) {
	type plain Assignment
	return Marshal(struct {
		Version int `json:"version"`
		plain
	}{linesVersion, plain(a)})
}

// UnmarshalJSON reads a line, which must have a round and a client.
func (a *Assignment) UnmarshalJSON(raw []byte) error {
	type plain Assignment
	p := struct {
		*plain
		Version int  `json:"version"`
		Round   *int `json:"round"`
		Client  *int `json:"client"`
	}{plain: (*plain)(a)}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if p.Round == nil || p.Client == nil {
		return errors.New(`no "round" or no "client"`)
	}
	a.Round, a.Client = roundNumber(p.Version, *p.Round), *p.Client
	if a.Why == federation.AtStart {
		a.Round = 0
	}
	return nil
}

// AppendAssignments adds lines to assignments.jsonl, all or none, and returns when they are on the disk. The lines of a round
// must be written before its line of metrics.
func (d *Dir) AppendAssignments(list []Assignment) error {
	if len(list) == 0 {
		return nil
	}
	path := d.Path(AssignmentsFile)
	var text bytes.Buffer
	for _, a := range list {
		line, err := Marshal(a)
		if err != nil {
			return fmt.Errorf("appending to %s: %w", path, err)
		}
		text.Write(append(line, '\n'))
	}
	if err := appendLine(path, text.Bytes()); err != nil {
		return fmt.Errorf("appending to %s: %w", path, cause(err))
	}
	return nil
}

// ReadAssignments reads assignments.jsonl. It ignores an incomplete last line, and returns nothing if the file does not
// exist.
func (d *Dir) ReadAssignments() ([]Assignment, error) {
	_, lines, err := d.roundLines(AssignmentsFile)
	if err != nil {
		return nil, err
	}
	list := make([]Assignment, len(lines))
	for i, l := range lines {
		if err := json.Unmarshal(l.raw, &list[i]); err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", d.Path(AssignmentsFile), i+1, err)
		}
	}
	return list, nil
}

// Happening is an event that concerns several clients. It is a row of the report.
type Happening struct {
	Round   int
	Why     federation.Reason
	Clients []int    // ascending
	Moves   []string // "80–84: 0", "3, 17: 2 → 0"
	Pre     Stat     // balanced accuracy of the clients that joined; NaN for other events
	Post    Stat
}

// Happenings groups assignments by round and reason, in their order. It leaves out the assignments of the clustering at the
// start and those of the algorithm's rounds.
func Happenings(list []Assignment) []Happening {
	var rows []Happening
	moves := map[string][]int{} // clients of the last row by "from → to"
	var order []string
	var pre, post []float64
	finish := func() {
		if len(rows) == 0 {
			return
		}
		last := &rows[len(rows)-1]
		slices.Sort(last.Clients)
		for _, m := range order {
			text := ranges(moves[m])
			if m != "" {
				text += ": " + m
			}
			last.Moves = append(last.Moves, text)
		}
		last.Pre, last.Post = NewStat(pre), NewStat(post)
		moves, order, pre, post = map[string][]int{}, nil, nil, nil
	}
	for _, a := range list {
		if a.Why == "start" || a.Why == "round" {
			continue
		}
		if n := len(rows); n == 0 || rows[n-1].Round != a.Round || rows[n-1].Why != a.Why {
			finish()
			rows = append(rows, Happening{Round: a.Round, Why: a.Why})
		}
		last := &rows[len(rows)-1]
		last.Clients = append(last.Clients, a.Client)
		m := movement(a)
		if moves[m] == nil {
			order = append(order, m)
		}
		moves[m] = append(moves[m], a.Client)
		if a.Pre != nil {
			pre = append(pre, a.Pre.Balanced)
		}
		if a.Post != nil {
			post = append(post, a.Post.Balanced)
		}
	}
	finish()
	return rows
}

// movement describes the change of a client's cluster.
func movement(a Assignment) string {
	switch {
	case a.From == nil && a.To == nil:
		return ""
	case a.From == nil:
		return fmt.Sprintf("to %d", *a.To)
	case a.To == nil:
		return fmt.Sprintf("from %d", *a.From)
	case *a.From == *a.To:
		return fmt.Sprintf("stay in %d", *a.To)
	}
	return fmt.Sprintf("%d → %d", *a.From, *a.To)
}
