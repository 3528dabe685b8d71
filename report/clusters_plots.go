package report

import (
	"math"

	"feddag/report/plot"
	"feddag/similarity"
)

// The plots of a clustering.
const (
	searchPlot     = "plots/search"
	heatPlot       = "plots/proximity"
	dendrogramPlot = "plots/dendrogram"
	graphPlot      = "plots/cc-graph"
	classesPlot    = "plots/classes"
)

// writePlots writes the CC-graph, if there is one, and the plots.
func (c *Clustering) writePlots(d *Dir, rows []Cluster, near proximity, formats []plot.Format) error {
	r := c.Result
	if r.Graph != nil {
		graph := CCGraph{Clusters: rows, Classes: c.Classes, Scores: r.Complementarity, Sources: r.Graph}
		if err := d.WriteCCGraph("CC-graph: which cluster learns from which\n"+c.Title, graph, formats); err != nil {
			return err
		}
	}
	if r.FoundBy != similarity.FoundByTest { // tests have no candidates
		chart, text := ruleChart(r.Rule, r.Candidates, r.Dendrogram == nil)
		chart.Title += "\n" + c.Title + ". " + text
		search, err := plot.Lines(chart)
		if err != nil {
			return err
		}
		if err := d.WritePlot(searchPlot, search, formats); err != nil {
			return err
		}
	}
	clusters := near.clusters(r.Clusters)
	heat, err := plot.HeatMap(near.title+"\n"+near.sample+c.Title, near.matrix, clusters)
	if err != nil {
		return err
	}
	if err := d.WritePlot(heatPlot, heat, formats); err != nil {
		return err
	}
	dendrogram, threshold, title := r.Dendrogram, r.Threshold, "Dendrogram of the clients\n"+c.Title
	if r.FoundBy == similarity.FoundByTest {
		title = "Dendrogram of the clients by average linkage\nthe clusters were found by tests, not cut from the tree\n" + near.sample + c.Title
		if dendrogram, err = near.tree(); err != nil {
			return err
		}
		threshold = math.NaN()
	}
	if dendrogram != nil { // spectral clustering has no dendrogram
		tree, err := plot.Dendrogram(title, dendrogram, clusters, threshold)
		if err != nil {
			return err
		}
		if err := d.WritePlot(dendrogramPlot, tree, formats); err != nil {
			return err
		}
	}
	return d.WritePlot(classesPlot, classTable("Samples of each class by cluster\n"+c.Title, rows, c.Classes), formats)
}
