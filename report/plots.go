package report

import (
	"fmt"
	"io"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

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

// classTable draws the number of samples of each class in every cluster.
func classTable(title string, clusters []Cluster, names []string) *plot.Figure {
	var rows []plot.ClassRow
	for z, c := range clusters {
		name := fmt.Sprintf("%d: %s, %s", z, numfmt.Count(len(c.Members), "client"), numfmt.Thousands(float64(c.Samples)))
		rows = append(rows, plot.ClassRow{Name: name, Counts: c.Histogram})
	}
	return plot.ClassTable(title, rows, names)
}
