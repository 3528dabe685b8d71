package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
)

// ClientCells are the cells of a line of clients.csv with the accuracies before local training, as they are written.
type ClientCells struct{ Balanced, Accuracy string }

// Cells returns the score in the format of clients.csv.
func (s ClientScore) Cells() ClientCells { return ClientCells{cell(s.Balanced), cell(s.Accuracy)} }

// ReadClientCells reads the accuracies before local training from clients.csv,
// by client.
func (d *Dir) ReadClientCells() (map[string]ClientCells, error) {
	raw, err := d.read(ClientsFile)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Path(ClientsFile), err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("reading %s: it is empty", d.Path(ClientsFile))
	}
	column := map[string]int{}
	for _, name := range []string{"client", preColumn, "pre_accuracy"} {
		if column[name] = slices.Index(rows[0], name); column[name] < 0 {
			return nil, fmt.Errorf("reading %s: no column %s", d.Path(ClientsFile), name)
		}
	}
	cells := map[string]ClientCells{}
	for _, row := range rows[1:] {
		cells[row[column["client"]]] = ClientCells{row[column[preColumn]], row[column["pre_accuracy"]]}
	}
	return cells, nil
}
