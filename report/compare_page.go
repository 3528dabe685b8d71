package report

import (
	"fmt"
	"html/template"
	"io"
	"slices"

	"feddag/internal/numfmt"
)

// compareView is a Comparison prepared for the template. What all tables have in common is shown once, above them.
type compareView struct {
	Title   string
	Style   template.CSS
	Setting []string
	Ranking []rankView
	Tables  []Table
	Curves  []drawing
	Folded  []drawing // further curves; folded because the curves of many algorithms would fill pages
	Shared  []Pair
	JSON    string
}

// rankView is a bar of the ranking.
type rankView struct {
	Name, Value, Device string
	Width               template.CSS
	Reference           bool
}

func (d *Dir) writeComparePage(c *Comparison) error {
	v, err := c.Ranked().view()
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(CompareHTML), err)
	}
	return d.WriteFile(CompareHTML, func(w io.Writer) error { return pages.ExecuteTemplate(w, "compare.html", v) })
}

// view returns the content of the page.
func (c *Comparison) view() (v compareView, err error) {
	v = compareView{Title: c.title(), Setting: c.all(), Shared: c.Shared}
	if v.Style, err = style(); err != nil {
		return v, err
	}
	for _, t := range c.Tables() {
		t.Setting = slices.DeleteFunc(slices.Clone(t.Setting), func(s string) bool { return slices.Contains(v.Setting, s) })
		v.Tables = append(v.Tables, t)
	}
	for i := range c.Variants {
		x := &c.Variants[i]
		row := rankView{Name: x.Name, Value: "–", Width: "0", Reference: x.Name == c.Reference && len(c.Variants) > 1}
		if s := c.spread(x, finalPre); s.N > 0 {
			row.Value, row.Width = s.Text(1), template.CSS(fmt.Sprintf("%.1f%%", s.Mean))
		}
		if c.devicesDiffer() {
			row.Device = x.devices(func(cell Cell) string { return cell.Summary.Device })
		}
		v.Ranking = append(v.Ranking, row)
	}
	if c.Rounds >= 2 {
		for k, p := range comparePlots {
			if p.file == leadersPlot && len(c.Variants) < leadersFrom {
				continue
			}
			chart := p.of(c)
			drawn := drawing{Title: p.title, Text: p.text + c.seedsText()}
			if p.file == cohortPlot && len(c.Variants) > 1 {
				drawn.Text += fmt.Sprintf(" The algorithms of a seed have the same partition%s.", c.sameCohorts())
			}
			if drawn.HTML, err = chart.HTML(); err != nil {
				return v, err
			}
			if k > 0 && len(c.Variants) > 9 {
				v.Folded = append(v.Folded, drawn)
			} else {
				v.Curves = append(v.Curves, drawn)
			}
		}
	}
	raw, err := Marshal(c.Summary())
	v.JSON = string(raw)
	return v, err
}

// seedsText explains the lines and bands of a chart.
func (c *Comparison) seedsText() string {
	if n := len(c.Seeds()); n > 1 {
		return fmt.Sprintf(" Line: mean over %s; band: from the lowest seed to the highest.", numfmt.Count(n, "seed"))
	}
	return ""
}
