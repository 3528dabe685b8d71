package cli

import (
	"os"
	"strings"
	"testing"
)

// readmeRows maps the methods of the README's table to rows of the tables of docs/results.md. FedDAG's row has another name under
// feature skew, where two variants are compared.
var readmeRows = map[string][]string{
	"FedDAG":                                 {"feddag", "feddag body=parts"},
	"FedDAG with the paper's second encoder": {"two encoders"},
	"FedAvg in the true groups (oracle)":     {"oracle"},
	"FedSoft, told the number of groups":     {"fedsoft"},
	"CFL":                                    {"cfl"},
	"IFCA, told the number of groups":        {"ifca"},
	"FedRC, told the number of groups":       {"fedrc"},
	"PACFL, told the number of groups":       {"pacfl"},
	"FedAvg":                                 {"fedavg"},
}

// readmeArchives maps the columns of the README's table to the archives of the tables of docs/results.md.
var readmeArchives = map[string]string{
	"concept shift": "cifar10/II-rate-0.03.zip",
	"feature skew":  "cifar10/IV-rate-0.03.zip",
	"label skew":    "cifar10/I-rate-0.03.zip",
}

// resultsRows returns the accuracies before local training in the tables of docs/results.md, by archive and row.
func resultsRows(t *testing.T) map[string]map[string]string {
	text, err := os.ReadFile("../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := documentTables("docs/results.md", string(text))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]string{}
	for _, archive := range readmeArchives {
		for _, d := range tables {
			if d.title != "Accuracy" || !strings.Contains(d.command, archive) {
				continue
			}
			found[archive] = map[string]string{}
			for _, row := range d.rows {
				cells := tableCells(row) // algorithm, n, final pre
				found[archive][cells[0]] = strings.Trim(cells[2], "*")
			}
		}
	}
	return found
}

// TestREADMETable checks that the accuracies of the README's table are those of docs/results.md, which TestTablesOfPages checks.
func TestREADMETable(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	results := resultsRows(t)
	var columns []string
	checked := 0
	for line := range strings.Lines(string(text)) {
		cells := tableCells(strings.TrimSpace(line))
		if cells[0] == "method" {
			columns = cells
		}
		names, known := readmeRows[cells[0]]
		if len(cells) != len(columns) || !known {
			continue
		}
		for i, cell := range cells[1:] {
			rows, want := results[readmeArchives[columns[i+1]]], ""
			for _, name := range names {
				if v, ok := rows[name]; ok {
					want = v
				}
			}
			checked++
			if cell != want && (cell != "" || columns[i+1] == "concept shift") {
				t.Errorf("README.md: %s, %s: %q, and docs/results.md has %q", cells[0], columns[i+1], cell, want)
			}
		}
	}
	if checked < 3*len(readmeRows) {
		t.Errorf("README.md has %d of the %d cells of the table", checked, 3*len(readmeRows))
	}
}
