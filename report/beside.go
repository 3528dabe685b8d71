package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Beside is what others report for the same setting.
type Beside struct {
	Name   string // of the file, without its ending: "paper"
	Source string // of the rows: "table 10"; empty where they do not say
	Values map[string]Known
}

// Known is a number out of a file, in percent.
type Known struct {
	Mean float64
	Std  float64 // NaN where there is none
	line int
}

// The columns of a file for ReadBeside that are no setting.
const (
	algorithmColumn = "algorithm"
	meanColumn      = "mean"
	stdColumn       = "std"
	sourceColumn    = "source"
)

// ReadBeside reads the rows of a CSV file that are of a setting. Its columns
// are algorithm (a name of the comparison), mean and, if there, std, both in
// percent, and source; every other column is named after a setting, and a row
// counts if each of its cells that is not empty equals the setting's value, or
// has it among several with | between.
// Lines that start with # are comments. Nil says that no row is of this setting.
func ReadBeside(path string, settings map[string]string) (*Beside, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, cause(err))
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %s: it is empty; its first line must name its columns", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if err := checkHead(head, settings); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	base := filepath.Base(path)
	b := &Beside{Name: strings.TrimSuffix(base, filepath.Ext(base)), Values: map[string]Known{}}
	var sources []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if err := b.add(head, row, settings, line, &sources); err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", path, line, err)
		}
	}
	if len(b.Values) == 0 {
		return nil, nil
	}
	b.Source = strings.Join(sources, ", ")
	return b, nil
}

func checkHead(head []string, settings map[string]string) error {
	for _, must := range []string{algorithmColumn, meanColumn} {
		if !slices.Contains(head, must) {
			return fmt.Errorf("no column %q; it has %s", must, strings.Join(head, ", "))
		}
	}
	for i, name := range head {
		_, setting := settings[name]
		if !setting && !slices.Contains([]string{algorithmColumn, meanColumn, stdColumn, sourceColumn}, name) {
			return fmt.Errorf("column %q is no setting of these runs, nor algorithm, mean, std or source", name)
		}
		if slices.Contains(head[:i], name) {
			return fmt.Errorf("two columns %q", name)
		}
	}
	return nil
}

// add takes up a row if it is of the setting.
func (b *Beside) add(head, row []string, settings map[string]string, line int, sources *[]string) error {
	known := Known{Mean: math.NaN(), Std: math.NaN(), line: line}
	algorithm, source := "", ""
	for i, name := range head {
		value := strings.TrimSpace(row[i])
		var err error
		switch name {
		case algorithmColumn:
			algorithm = value
		case sourceColumn:
			source = value
		case meanColumn:
			known.Mean, err = strconv.ParseFloat(value, 64)
		case stdColumn:
			if value != "" {
				known.Std, err = strconv.ParseFloat(value, 64)
			}
		default:
			is := func(v string) bool { return sameValue(strings.TrimSpace(v), settings[name]) }
			if value != "" && !slices.ContainsFunc(strings.Split(value, "|"), is) {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("%s %q is no number", name, value)
		}
	}
	if other, ok := b.Values[algorithm]; ok {
		return fmt.Errorf("a second %s of this setting, after line %d", algorithm, other.line)
	}
	b.Values[algorithm] = known
	if source != "" && !slices.Contains(*sources, source) {
		*sources = append(*sources, source)
	}
	return nil
}

// sameValue compares two settings, as numbers where both are.
func sameValue(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// title names the rows.
func (b *Beside) title() string {
	if b.Source == "" {
		return b.Name
	}
	return b.Name + ", " + b.Source
}

// ranking orders the algorithms that have a number here and there.
type ranking struct {
	ours, theirs map[string]int // from 1, the highest mean
}

func (c *Comparison) ranking(m measure) ranking {
	ours, theirs := map[string]float64{}, map[string]float64{}
	for i := range c.Variants {
		v := &c.Variants[i]
		known, ok := c.Beside.Values[v.Name]
		if s := c.spread(v, m); ok && s.N > 0 {
			ours[v.Name], theirs[v.Name] = s.Mean, known.Mean
		}
	}
	return ranking{ranks(ours), ranks(theirs)}
}

// ranks counts, for each, the higher ones.
func ranks(values map[string]float64) map[string]int {
	r := map[string]int{}
	for name, v := range values {
		r[name] = 1
		for _, other := range values {
			if other > v {
				r[name]++
			}
		}
	}
	return r
}

func (r ranking) differs(name string) bool { return r.ours[name] != r.theirs[name] }

func (r ranking) cell(name string) TableCell {
	if r.ours[name] == 0 {
		return TableCell{Text: "–"}
	}
	return TableCell{Text: strconv.Itoa(r.ours[name]), Bold: r.differs(name)}
}

// besideTable sets ours and theirs side by side.
func (c *Comparison) besideTable() Table {
	b := c.Beside
	t := Table{
		Label: "beside", Title: "Beside " + b.title(),
		Setting: c.all()[:2],
		Notes: []string{overSeeds + " Theirs as printed there, which may be another protocol. " +
			"Rank: among the algorithms that have both numbers, 1 the highest mean."},
		Bold:    "another rank than theirs",
		Columns: headings("algorithm", "n", "final pre", "rank", "final post", "rank", b.Name, "rank", "pre − "+b.Name, "post − "+b.Name),
	}
	pre, post := c.ranking(finalPre), c.ranking(finalPost)
	for i := range c.Variants {
		v := &c.Variants[i]
		x, y := c.spread(v, finalPre), c.spread(v, finalPost)
		row := append(texts(v.Name, strconv.Itoa(len(v.Cells)), x.Text(2)), pre.cell(v.Name), TableCell{Text: y.Text(2)}, post.cell(v.Name))
		known, ok := b.Values[v.Name]
		if !ok {
			t.Rows = append(t.Rows, append(row, texts("–", "–", "–", "–")...))
			continue
		}
		text := decimal(known.Mean, 2)
		if finite(known.Std) {
			text += " ± " + decimal(known.Std, 2)
		}
		t.Rows = append(t.Rows, append(row, texts(text, strconv.Itoa(pre.theirs[v.Name]), signed(x.Mean-known.Mean, 2), signed(y.Mean-known.Mean, 2))...))
		if said := rankSentence(v.Name, b.Name, pre, post); said != "" {
			t.After = append(t.After, said)
		}
	}
	if absent := c.notRun(); len(absent) > 0 {
		t.After = append(t.After, fmt.Sprintf("In %s but not among these runs: %s.", b.Name, strings.Join(absent, ", ")))
	}
	return t
}

// rankSentence says how an algorithm's ranks differ from theirs; nothing where they do not.
func rankSentence(name, theirs string, pre, post ranking) string {
	var parts []string
	for _, r := range []struct {
		ranking
		by string
	}{{pre, finalPre.heading}, {post, finalPost.heading}} {
		if r.differs(name) {
			parts = append(parts, fmt.Sprintf("rank %d of %d by %s, %d in %s", r.ours[name], len(r.ours), r.by, r.theirs[name], theirs))
		}
	}
	if parts == nil {
		return ""
	}
	return name + ": " + strings.Join(parts, "; ") + "."
}

// notRun are the algorithms that only they have.
func (c *Comparison) notRun() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.Beside.Values)) {
		if !slices.ContainsFunc(c.Variants, func(v Variant) bool { return v.Name == name }) {
			names = append(names, fmt.Sprintf("%s (%s)", name, decimal(c.Beside.Values[name].Mean, 2)))
		}
	}
	return names
}
