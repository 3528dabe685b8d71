package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/docblock"
)

// A documentTable is a table of a page that a command of the page writes.
type documentTable struct {
	page     string
	line     int    // line of the header, from 1
	command  string // the last "./feddag compare --read" before it
	title    string // heading of the table in compare.md, from the mark <!-- table: TITLE -->
	headings []string
	rows     []string // the lines of the table after the header and the line of dashes
}

const (
	readCommand = "    ./feddag compare --read "
	tableMark   = "<!-- table: "
)

// documentTables returns the tables of a page that have a mark. A table of the program without a mark is an error.
func documentTables(page, text string) (tables []documentTable, err error) {
	lines := strings.Split(text, "\n")
	var command, title string
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, readCommand):
			command = strings.TrimPrefix(line, "    ")
		case strings.HasPrefix(line, tableMark):
			title = strings.TrimSuffix(strings.TrimPrefix(line, tableMark), " -->")
		case strings.HasPrefix(line, "| algorithm | n |") && (title == "" || command == ""):
			return nil, fmt.Errorf("%s, line %d: a table of the program needs a command %q... and %sTITLE --> before it", page, i+1, strings.TrimSpace(readCommand), tableMark)
		case strings.HasPrefix(line, "|") && title != "":
			table := documentTable{page: page, line: i + 1, command: command, title: title, headings: tableCells(line)}
			for i += 2; i < len(lines) && strings.HasPrefix(lines[i], "|"); i++ {
				table.rows = append(table.rows, lines[i])
			}
			tables = append(tables, table)
			title = ""
		}
	}
	return tables, nil
}

// tableCells returns the cells of a line of a Markdown table.
func tableCells(line string) []string {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i, c := range cells {
		cells[i] = strings.TrimSpace(c)
	}
	return cells
}

// written returns the rows that the command writes in the columns of the table. It adds the outputs of commands to made.
func (d *documentTable) written(t *testing.T, root string, made map[string]string) ([]string, error) {
	text, known := made[d.command]
	if !known {
		args := shellCommands(d.command)[0][1:]
		for i, a := range args {
			if strings.HasPrefix(a, "benchmarks/") {
				args[i] = filepath.Join(root, a)
			}
		}
		out := t.TempDir()
		if code, _, log := feddag(append(args, "--out", out)...); code != exitDone {
			return nil, fmt.Errorf("%s: exit code %d: %s", d.command, code, log)
		}
		tables, err := os.ReadFile(filepath.Join(out, "compare.md"))
		if err != nil {
			return nil, err
		}
		text = string(tables)
		made[d.command] = text
	}
	_, section, found := strings.Cut(text, "\n## "+d.title+"\n")
	if !found {
		return nil, fmt.Errorf("%s writes no table %q", d.command, d.title)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var columns []int
	var rows []string
	for line := range strings.SplitSeq(section, "\n") {
		switch {
		case !strings.HasPrefix(line, "|"), strings.HasPrefix(line, "|---"):
		case columns == nil:
			all, next := tableCells(line), 0
			for _, h := range d.headings {
				c := slices.Index(all[next:], h)
				if c < 0 {
					return nil, fmt.Errorf("the table %q of %s has no column %q in this place; its columns are %s", d.title, d.command, h, strings.Join(all, ", "))
				}
				columns = append(columns, next+c)
				next += c + 1
			}
		default:
			cells, text := tableCells(line), "|"
			for _, c := range columns {
				text += " " + cells[c] + " |"
			}
			rows = append(rows, text)
		}
	}
	return rows, nil
}

// row returns the k-th of some rows, and words for none.
func row(rows []string, k int) string {
	if k < len(rows) {
		return rows[k]
	}
	return "no such row"
}

// TestTablesOfPages checks that every table of a page with a mark <!-- table: TITLE --> is what the last command "./feddag compare
// --read ARCHIVE..." before it writes under that heading: every row, and of the columns those that the page has, byte for byte. With
// FEDDAG_TABLES=write it writes the rows into the pages instead.
func TestTablesOfPages(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := docblock.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	made, checked := map[string]string{}, 0
	for _, page := range pages {
		path := filepath.Join(root, page)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tables, err := documentTables(page, string(text))
		if err != nil {
			t.Error(err)
			continue
		}
		lines := strings.Split(string(text), "\n")
		for _, d := range slices.Backward(tables) {
			checked++
			rows, err := d.written(t, root, made)
			if err != nil {
				t.Errorf("%s, line %d: %v", page, d.line, err)
				continue
			}
			if os.Getenv("FEDDAG_TABLES") == "write" {
				lines = slices.Replace(lines, d.line+1, d.line+1+len(d.rows), rows...)
				continue
			}
			for k := range max(len(rows), len(d.rows)) {
				if row(rows, k) != row(d.rows, k) {
					t.Errorf("%s, line %d: the page has\n\t%s\nand %s writes\n\t%s\nFEDDAG_TABLES=write takes over what the command writes",
						page, d.line+2+k, row(d.rows, k), d.command, row(rows, k))
					break
				}
			}
		}
		if changed := strings.Join(lines, "\n"); changed != string(text) {
			if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if checked == 0 {
		t.Error("no page has a table of the program")
	}
}
