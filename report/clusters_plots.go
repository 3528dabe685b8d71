package report

import (
	"io"
	"os"

	"feddag/similarity"
)

// The plots of a clustering.
const (
	searchPlot     = "plots/search.svg"
	heatPlot       = "plots/proximity.svg"
	dendrogramPlot = "plots/dendrogram.svg"
	graphPlot      = "plots/cc-graph.svg"
	classesPlot    = "plots/classes.svg"
)

// writePlots writes the CC-graph, where there is one, and the plots.
func (c *Clustering) writePlots(d *Dir, rows []Cluster) error {
	r := c.Result
	if r.Graph != nil {
		graph := CCGraph{Clusters: rows, Classes: c.Classes, Scores: r.Complementarity, Sources: r.Graph}
		if err := d.WriteCCGraph("CC-graph: which cluster learns from which\n"+c.Title, graph); err != nil {
			return err
		}
	}
	cuts, chosen := SearchCuts(&similarity.Choice{
		Candidates: r.Candidates, Threshold: r.Threshold, Clusters: r.Clusters, Dendrogram: r.Dendrogram,
	})
	for _, plot := range []struct {
		file string
		draw func(io.Writer) error
	}{
		{searchPlot, func(w io.Writer) error {
			return SearchPlot(w, "Search for the number of clusters\n"+c.Title, cuts, chosen)
		}},
		{heatPlot, func(w io.Writer) error {
			return HeatMap(w, "Proximity of the clients, ordered by cluster (0 is alike)\n"+c.Title, r.Proximity, r.Clusters)
		}},
		{dendrogramPlot, func(w io.Writer) error {
			return Dendrogram(w, "Dendrogram of the clients\n"+c.Title, r.Dendrogram, r.Clusters, r.Threshold)
		}},
		{classesPlot, func(w io.Writer) error {
			return ClassTable(w, "Samples of each class by cluster\n"+c.Title, rows, c.Classes)
		}},
	} {
		if plot.file == dendrogramPlot && r.Dendrogram == nil { // spectral clustering has none
			continue
		}
		if err := d.WriteFile(plot.file, plot.draw); err != nil {
			return err
		}
	}
	return nil
}

// ClusterPlots returns the plots of a clustering that the directory holds; a
// run that was resumed has them from before.
func (d *Dir) ClusterPlots() (plots []Plot) {
	for _, p := range []Plot{
		{File: searchPlot, Text: "What the search for the number of clusters looked at."},
		{File: dendrogramPlot, Text: "How the clients merge, and where the tree was cut."},
		{File: heatPlot, Text: "What the clusters were found in."},
		{File: classesPlot, Text: "What the clusters hold."},
		{File: graphPlot, Text: "Which cluster learns from which."},
	} {
		if _, err := os.Stat(d.Path(p.File)); err == nil {
			plots = append(plots, p)
		}
	}
	return plots
}
