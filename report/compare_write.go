package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// The files of a comparison's directory.
const (
	CompareCSV  = "compare.csv"  // one line per variant
	RunsCSV     = "runs.csv"     // one line per run
	CompareMD   = "compare.md"   // the tables
	CompareTeX  = "compare.tex"  // the tables
	CompareJSON = "compare.json" // everything
	CompareHTML = "compare.html" // tables and curves
)

// WriteComparison writes the files of a settled comparison, its plots in each of the formats.
func (d *Dir) WriteComparison(c *Comparison, formats []plot.Format) error {
	tables := c.Tables()
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{CompareCSV, c.writeCSV},
		{RunsCSV, c.writeRunsCSV},
		{CompareMD, func(w io.Writer) error { return writeAll(w, "# "+markdown(c.title())+"\n", tables, Table.Markdown) }},
		{CompareTeX, func(w io.Writer) error {
			return writeAll(w, "% "+c.title()+"\n% Needs \\usepackage{booktabs}.\n", tables, Table.LaTeX)
		}},
	} {
		if err := d.WriteFile(f.name, f.write); err != nil {
			return err
		}
	}
	for _, p := range comparePlots {
		figure, err := plot.Ranked(p.of(c))
		if err != nil {
			return err
		}
		if err := d.WritePlot(p.file, figure, formats); err != nil {
			return err
		}
	}
	if err := d.WriteJSON(CompareJSON, c.Summary()); err != nil {
		return err
	}
	return d.writeComparePage(c)
}

// Text returns the tables for a terminal, without the table of every run.
func (c *Comparison) Text() string {
	parts := []string{paragraphs(c.all())}
	for _, t := range c.Tables() {
		if t.Label != "runs" && t.Label != "rounds" {
			parts = append(parts, t.Text())
		}
	}
	return strings.Join(parts, "\n")
}

func (c *Comparison) title() string {
	return fmt.Sprintf("%s on %s, %s", numfmt.Count(len(c.Variants), "algorithm"), c.DatasetTitle, numfmt.Count(c.Clients, "client"))
}

func writeAll(w io.Writer, head string, tables []Table, as func(Table) string) error {
	parts := []string{head}
	for _, t := range tables {
		parts = append(parts, as(t))
	}
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

// writeCSV writes one line per variant. For each measure, it has the number of seeds, the mean, the sample standard
// deviation, and the paired difference from the reference with its interval. Accuracies are in percent. Missing values are
// empty cells.
func (c *Comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := []string{"name", "algorithm", "dataset", "partition", "clients", "rounds", "seeds", "reference", "confidence"}
	for _, m := range c.measures() {
		for _, what := range []string{"n", "mean", "std", "difference_n", "difference_mean", "difference_low", "difference_high"} {
			head = append(head, m.key+"_"+what)
		}
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		row := []string{v.Name, v.Algorithm, c.Dataset, c.Partition, strconv.Itoa(c.Clients), strconv.Itoa(v.rounds()),
			strings.Join(v.seeds(), " "), c.Reference, shortest(c.Confidence)}
		for _, m := range c.measures() {
			s, d := c.spread(v, m), c.difference(v, m)
			row = append(row, strconv.Itoa(s.N), plainNumber(s.Mean), plainNumber(s.Std), strconv.Itoa(d.N), plainNumber(d.Mean), plainNumber(d.Low), plainNumber(d.High))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeRunsCSV writes one line per run.
func (c *Comparison) writeRunsCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := []string{"name", "algorithm", "seed", "run", "device", "precision"}
	for _, m := range c.measures() {
		head = append(head, m.key)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			row := []string{v.Name, v.Algorithm, strconv.FormatInt(cell.Seed, 10), cell.Dir, cell.Summary.Device, cell.Summary.Precision}
			for _, m := range c.measures() {
				row = append(row, plainNumber(m.of(cell)))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func (v *Variant) seeds() []string {
	var s []string
	for _, cell := range v.Cells {
		s = append(s, strconv.FormatInt(cell.Seed, 10))
	}
	return s
}

// plainNumber formats v for a program, or returns "" if v is not finite. Six decimals are more than the precision of any of
// these numbers.
func plainNumber(v float64) string {
	if !finite(v) {
		return ""
	}
	return shortest(math.Round(v*1e6) / 1e6)
}

// CompareSummary is the content of compare.json, which is also the last line of the command's standard output.
type CompareSummary struct {
	Dataset    string           `json:"dataset"`
	Partition  string           `json:"partition"`
	Clients    int              `json:"clients"`
	Rounds     int              `json:"rounds"`
	Reference  string           `json:"reference"`
	Confidence float64          `json:"confidence"`
	Targets    []float64        `json:"targets"` // balanced accuracies over all clients before local training, in percent
	Algorithms []VariantSummary `json:"algorithms"`
	Missing    []Missing        `json:"missing"`
}

// VariantSummary is a variant in CompareSummary. Its numbers are keyed by the names of the CSV's columns.
type VariantSummary struct {
	Name        string                `json:"name"`
	Algorithm   string                `json:"algorithm"`
	Rounds      int                   `json:"rounds"` // number of rounds after which it is compared
	Seeds       []int64               `json:"seeds"`
	Measures    map[string]Spread     `json:"measures"`
	Differences map[string]Difference `json:"differences,omitempty"` // differences from the reference
}

// Summary returns the comparison in a form for programs.
func (c *Comparison) Summary() CompareSummary {
	s := CompareSummary{
		Dataset: c.Dataset, Partition: c.Partition, Clients: c.Clients, Rounds: c.Rounds,
		Reference: c.Reference, Confidence: c.Confidence, Targets: c.Targets, Missing: c.Missing,
	}
	for i := range c.Variants {
		v := &c.Variants[i]
		x := VariantSummary{Name: v.Name, Algorithm: v.Algorithm, Rounds: v.rounds(), Measures: map[string]Spread{}}
		for _, cell := range v.Cells {
			x.Seeds = append(x.Seeds, cell.Seed)
		}
		for _, m := range c.measures() {
			if spread := c.spread(v, m); spread.N > 0 {
				x.Measures[m.key] = spread
			}
		}
		if v.Name != c.Reference {
			x.Differences = map[string]Difference{}
			for _, m := range c.measures() {
				if d := c.difference(v, m); d.N > 0 {
					x.Differences[m.key] = d
				}
			}
		}
		s.Algorithms = append(s.Algorithms, x)
	}
	return s
}
