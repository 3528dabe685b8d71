package report

import (
	"math"
	"os"

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

// writePlots writes the CC-graph, where there is one, and the plots.
func (c *Clustering) writePlots(d *Dir, rows []Cluster, near proximity, formats []plot.Format) error {
	r := c.Result
	if r.Graph != nil {
		graph := CCGraph{Clusters: rows, Classes: c.Classes, Scores: r.Complementarity, Sources: r.Graph}
		if err := d.WriteCCGraph("CC-graph: which cluster learns from which\n"+c.Title, graph, formats); err != nil {
			return err
		}
	}
	if r.FoundBy != similarity.FoundByTest { // tests look at no candidates
		cuts, chosen := plot.SearchCuts(&similarity.Choice{
			Candidates: r.Candidates, Threshold: r.Threshold, Clusters: r.Clusters, Dendrogram: r.Dendrogram,
		})
		search := plot.Search("Search for the number of clusters\n"+c.Title, cuts, chosen)
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
	if dendrogram != nil { // spectral clustering has none
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

// ClusterPlots returns the plots of a clustering that the directory holds; a
// run that was resumed has them from before.
func (d *Dir) ClusterPlots() (plots []Plot) {
	for _, p := range []Plot{
		{Name: searchPlot, Text: "What the search for the number of clusters looked at."},
		{Name: dendrogramPlot, Text: "How the clients merge, and where the tree was cut."},
		{Name: heatPlot, Text: "How near the clients are to each other."},
		{Name: classesPlot, Text: "What the clusters hold."},
		{Name: graphPlot, Text: "Which cluster learns from which."},
	} {
		if _, err := os.Stat(d.Path(p.File())); err == nil {
			plots = append(plots, p)
		}
	}
	return plots
}
