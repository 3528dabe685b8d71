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

	"feddag/internal/numfmt"
)

// Beside holds the results that others report for the same setting.
type Beside struct {
	Name   string // name of the file without its suffix, such as "paper"
	Joined bool   // the results are of newcomers as they join, not of the clients that took part
	Source string // source of the rows, such as "table 10"; empty if they do not name one
	Values map[string]Known
}

// Known is a result from a file, in percent.
type Known struct {
	Mean float64
	Std  float64 // NaN if the file has none
	line int
}

// The columns of a file for ReadBeside that are not settings.
const (
	algorithmColumn = "algorithm"
	meanColumn      = "mean"
	stdColumn       = "std"
	sourceColumn    = "source"
	overColumn      = "over" // clients of the result: empty, or joined for newcomers

	overJoined = "joined"
)

// ReadBeside reads the rows of a CSV file that belong to a setting. The columns are algorithm (a name in the comparison),
// mean and optionally std, both in percent, source, and over, which is joined if a result is of newcomers. Every other column
// is named after a setting. A row belongs to the setting if each of its non-empty cells in these columns is equal to the
// setting's value or lists it among several values separated by |. Lines that start with # are comments. The result has up to
// two elements: one for the clients that took part and one for newcomers. It is empty if no row belongs to the setting.
func ReadBeside(path string, settings map[string]string) ([]*Beside, error) {
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
	name := strings.TrimSuffix(base, filepath.Ext(base))
	all := []*Beside{{Name: name, Values: map[string]Known{}}, {Name: name, Joined: true, Values: map[string]Known{}}}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if err := addKnown(all, head, row, settings, line); err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", path, line, err)
		}
	}
	return slices.DeleteFunc(all, func(b *Beside) bool { return len(b.Values) == 0 }), nil
}

func checkHead(head []string, settings map[string]string) error {
	for _, must := range []string{algorithmColumn, meanColumn} {
		if !slices.Contains(head, must) {
			return fmt.Errorf("no column %q; it has %q", must, head)
		}
	}
	for i, name := range head {
		_, setting := settings[name]
		if !setting && !slices.Contains([]string{algorithmColumn, meanColumn, stdColumn, sourceColumn, overColumn}, name) {
			return fmt.Errorf("column %q is not a setting of these runs, nor algorithm, mean, std, source or over", name)
		}
		if slices.Contains(head[:i], name) {
			return fmt.Errorf("two columns %q", name)
		}
	}
	return nil
}

// addKnown adds a row to the results if it belongs to the setting.
func addKnown(all []*Beside, head, row []string, settings map[string]string, line int) error {
	b := all[0]
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
		case overColumn:
			switch value {
			case "":
			case overJoined:
				b = all[1]
			default:
				return fmt.Errorf("over %q is neither empty nor %s", value, overJoined)
			}
		case meanColumn:
			known.Mean, err = finiteNumber(value)
		case stdColumn:
			if value != "" {
				known.Std, err = finiteNumber(value)
			}
		default:
			is := func(v string) bool { return sameValue(strings.TrimSpace(v), settings[name]) }
			if value != "" && !slices.ContainsFunc(strings.Split(value, "|"), is) {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("%s %q is not a number", name, value)
		}
	}
	if other, ok := b.Values[algorithm]; ok {
		return fmt.Errorf("a second %q of this setting, after line %d", algorithm, other.line)
	}
	b.Values[algorithm] = known
	if sources := strings.Split(b.Source, ", "); source != "" && !slices.Contains(sources, source) {
		b.Source = strings.TrimPrefix(b.Source+", "+source, ", ")
	}
	return nil
}

// finiteNumber parses a number that is neither infinite nor NaN.
func finiteNumber(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && !finite(x) {
		err = strconv.ErrRange
	}
	return x, err
}

// sameValue reports whether two values of a setting are equal; it compares them as numbers if both are numbers.
func sameValue(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// title returns the heading of the results.
func (b *Beside) title() string {
	if b.Source == "" {
		return b.Name
	}
	return b.Name + ", " + b.Source
}

// ranking holds the ranks of the algorithms that have a result in both sources.
type ranking struct {
	ours, theirs map[string]int // rank by algorithm; rank 1 has the highest mean
}

func (c *Comparison) ranking(b *Beside, m measure) ranking {
	ours, theirs := map[string]float64{}, map[string]float64{}
	for i := range c.Variants {
		v := &c.Variants[i]
		known, ok := b.Values[v.Name]
		if s := c.spread(v, m); ok && s.N > 0 {
			ours[v.Name], theirs[v.Name] = s.Mean, known.Mean
		}
	}
	return ranking{ranks(ours), ranks(theirs)}
}

// ranks returns the rank of each value: one more than the number of higher values.
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

// besideTable compares our results with the results of others.
func (c *Comparison) besideTable(b *Beside) Table {
	before, after, setting, label := finalPre, finalPost, c.all()[:2], "beside"
	if b.Joined {
		before, after, setting, label = joinedPre, joinedPost, c.newcomers(), "beside-newcomers"
	}
	t := Table{
		Label: label, Title: "Beside " + b.title(),
		Setting: setting,
		Notes: []string{overSeeds + " Theirs as printed there, which may be another protocol. " +
			"Rank: among the algorithms that have both numbers, 1 the highest mean."},
		Bold:    "another rank than theirs",
		Columns: headings("algorithm", "n", before.heading, "rank", after.heading, "rank", b.Name, "rank", "pre − "+b.Name, "post − "+b.Name),
	}
	pre, post := c.ranking(b, before), c.ranking(b, after)
	for i := range c.Variants {
		v := &c.Variants[i]
		x, y := c.spread(v, before), c.spread(v, after)
		row := append(texts(v.Name, strconv.Itoa(len(v.Cells)), x.Text(2)), pre.cell(v.Name), TableCell{Text: y.Text(2)}, post.cell(v.Name))
		known, ok := b.Values[v.Name]
		if !ok {
			t.Rows = append(t.Rows, append(row, texts("–", "–", "–", "–")...))
			continue
		}
		text := numfmt.Decimal(known.Mean, 2)
		if finite(known.Std) {
			text += " ± " + numfmt.Decimal(known.Std, 2)
		}
		t.Rows = append(t.Rows, append(row, texts(text, strconv.Itoa(pre.theirs[v.Name]), signed(x.Mean-known.Mean, 2), signed(y.Mean-known.Mean, 2))...))
		if said := rankSentence(v.Name, b.Name, before, after, pre, post); said != "" {
			t.After = append(t.After, said)
		}
	}
	t.After = append(t.After, c.predictWith()...)
	if absent := c.notRun(b); len(absent) > 0 {
		t.After = append(t.After, fmt.Sprintf("In %s but not among these runs: %s.", b.Name, strings.Join(absent, ", ")))
	}
	return t
}

// rankSentence says how an algorithm's ranks differ from the ranks of others. It is empty if they do not differ.
func rankSentence(name, theirs string, before, after measure, pre, post ranking) string {
	var parts []string
	for _, r := range []struct {
		ranking
		by string
	}{{pre, before.heading}, {post, after.heading}} {
		if r.differs(name) {
			parts = append(parts, fmt.Sprintf("rank %d of %d by %s, %d in %s", r.ours[name], len(r.ours), r.by, r.theirs[name], theirs))
		}
	}
	if parts == nil {
		return ""
	}
	return name + ": " + strings.Join(parts, "; ") + "."
}

// notRun returns the algorithms that only the results of others have.
func (c *Comparison) notRun(b *Beside) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.Values)) {
		if !slices.ContainsFunc(c.Variants, func(v Variant) bool { return v.Name == name }) {
			names = append(names, fmt.Sprintf("%s (%s)", name, numfmt.Decimal(b.Values[name].Mean, 2)))
		}
	}
	return names
}
