package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rows returns the rows of all tables of a page: the names in their first column, and their other cells that are not empty.
func rows(page string) map[string][][]string {
	found := map[string][][]string{}
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name, rest := cells[0], slices.DeleteFunc(cells[1:], func(s string) bool { return s == "" })
		found[name] = append(found[name], rest)
	}
	return found
}

// clusteringPage returns the text of docs/clustering.md.
func clusteringPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/clustering.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestTablesOfThePage checks that docs/clustering.md has every row that is made from the kept results.
func TestTablesOfThePage(t *testing.T) {
	all, _, err := readResults("../results/groups/groups.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	printTables(&made, all)
	checkRows(t, rows(clusteringPage(t)), rows(made.String()))
}

// TestTableOfClusterings checks the table that benchmarks/clusterings.py prints from its kept results.
func TestTableOfClusterings(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3: ", err)
	}
	script := filepath.Join("..", "clusterings.py")
	made, err := exec.Command(python, script, "--out", "../results/groups/clusterings.tsv", "--table").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	if !strings.Contains(clusteringPage(t), string(made)) {
		t.Errorf("docs/clustering.md lacks the table that %s prints:\n%s", script, made)
	}
}

// checkRows checks that the page has the rows that were made.
func checkRows(t *testing.T, page, made map[string][][]string) {
	t.Helper()
	checked := 0
	for name, each := range made {
		if name == "" {
			continue // the headings of the tables, which differ on the page
		}
		for _, cells := range each {
			if !slices.ContainsFunc(page[name], func(row []string) bool { return slices.Equal(row, cells) }) {
				t.Errorf("docs/clustering.md has no row %q with the cells\n%q\nits rows of that name are\n%q", name, cells, page[name])
			}
			checked++
		}
	}
	if checked < 30 {
		t.Errorf("only %d rows were compared", checked)
	}
}
