package report

import (
	"fmt"
	"html/template"
	"io"
	"os"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// Plot is a drawing of the run, for the report page.
type Plot struct {
	Name string // path inside the run directory, without the ending
	Text string // a sentence under the drawing; may be empty
}

// File returns the path of the SVG, which stands in the page.
func (p Plot) File() string { return p.Name + "." + string(plot.SVG) }

// WritePlot writes a figure in each of the formats. name is a path inside the
// run directory without the ending.
func (d *Dir) WritePlot(name string, f *plot.Figure, formats []plot.Format) error {
	for _, format := range formats {
		err := d.WriteFile(name+"."+string(format), func(w io.Writer) error { return f.Write(w, format) })
		if err != nil {
			return err
		}
	}
	return nil
}

// PageFormats returns formats with SVG among them, for the plots that stand in
// a page.
func PageFormats(formats []plot.Format) []plot.Format {
	all := []plot.Format{plot.SVG}
	for _, f := range formats {
		if f != plot.SVG {
			all = append(all, f)
		}
	}
	return all
}

// drawing is a plot as it stands in a page.
type drawing struct {
	SVG  template.HTML
	Text string
}

// readDrawing reads the SVG of a plot.
func (d *Dir) readDrawing(p Plot) (drawing, error) {
	raw, err := os.ReadFile(d.Path(p.File()))
	if err != nil {
		return drawing{}, fmt.Errorf("reading the plot %s: %w", p.File(), cause(err))
	}
	// The package plot escapes every text that it draws.
	return drawing{template.HTML(raw), p.Text}, nil
}

// classTable draws how many samples of each class every cluster holds.
func classTable(title string, clusters []Cluster, names []string) *plot.Figure {
	var rows []plot.ClassRow
	for z, c := range clusters {
		name := fmt.Sprintf("%d: %s, %s", z, numfmt.Count(len(c.Members), "client"), numfmt.Thousands(float64(c.Samples)))
		rows = append(rows, plot.ClassRow{Name: name, Counts: c.Histogram})
	}
	return plot.ClassTable(title, rows, names)
}
