package cli

import (
	"fmt"
	"io"
	"slices"

	"feddag/report"
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

// found is a clustering with what its files and tables say of it.
type found struct {
	title   string
	result  *similarity.Result
	counts  [][]int  // n_i,c of the clients that were clustered
	groups  []int    // their true groups; nil where not known
	ids     []int    // their ids; nil where they are 0, 1, ...
	classes []string // names of the classes; nil for their numbers
	steady  *similarity.Steadiness
	compare []similarity.Comparison
}

// validity says how good a clustering is. The first three need known groups.
type validity struct {
	ARI        *float64     `json:"adjusted_rand_index"`
	NMI        *float64     `json:"normalised_mutual_information"`
	Purity     *float64     `json:"purity"`
	Silhouette report.Float `json:"silhouette"` // mean over the clients, on A
}

func (f *found) validity() (v validity, err error) {
	silhouette, err := similarity.Silhouette(f.result.Proximity, f.result.Clusters)
	if v.Silhouette = report.Float(silhouette); err != nil || f.groups == nil {
		return v, err
	}
	labels := similarity.Labels(f.result.Clusters, len(f.groups))
	for _, m := range []struct {
		to      **float64
		measure func(a, b []int) (float64, error)
	}{{&v.ARI, similarity.AdjustedRandIndex}, {&v.NMI, similarity.NormalisedMutualInformation}, {&v.Purity, similarity.Purity}} {
		x, err := m.measure(labels, f.groups)
		if err != nil {
			return v, err
		}
		*m.to = &x
	}
	return v, nil
}

// clustersJSON is clusters.json.
type clustersJSON struct {
	Clusters   [][]int          `json:"clusters"`          // client ids
	Clients    []int            `json:"clients,omitempty"` // who was clustered, in the order of true_groups and proximity.npy; absent for all
	ARI        *float64         `json:"adjusted_rand_index"`
	Groups     []int            `json:"true_groups"` // of each client that was clustered
	Threshold  report.Float     `json:"threshold"`
	Graph      [][]int          `json:"graph"`           // sources of each cluster
	Scores     [][]report.Float `json:"complementarity"` // H, null on the diagonal
	Gates      []report.Float   `json:"gates"`           // 1 is gradient only
	Entropy    [2]report.Float  `json:"entropy"`         // before and after learning the gates, nats
	Validity   validity         `json:"validity"`
	Stability  *stabilityJSON   `json:"stability,omitempty"`
	Eigen      []report.Float   `json:"eigenvalues,omitempty"` // smallest of the Laplacian; spectral only
	Candidates []candidateJSON  `json:"candidates"`
	Comparison []compareJSON    `json:"comparison,omitempty"`
}

// stabilityJSON is similarity.Steadiness.
type stabilityJSON struct {
	ARI      []report.Float `json:"adjusted_rand_index"` // of each repetition, against the clustering
	Count    []int          `json:"clusters"`            // of each repetition
	Clusters []report.Float `json:"jaccard"`             // of each cluster, mean over the repetitions
}

type candidateJSON struct {
	Threshold  report.Float `json:"threshold"`
	Count      int          `json:"count"`
	Loss       report.Float `json:"loss"`
	L1         report.Float `json:"l1"`
	L2         report.Float `json:"l2"`
	Silhouette report.Float `json:"silhouette"`
	Ratio      report.Float `json:"ratio"`
	Chosen     bool         `json:"chosen"`
	Clusters   [][]int      `json:"clusters"`
}

// compareJSON is one row of the comparison. ARI and Purity need known groups.
type compareJSON struct {
	Method     string       `json:"method"`
	Choose     string       `json:"choose"`
	Count      int          `json:"count"`
	Silhouette report.Float `json:"silhouette"`
	Loss       report.Float `json:"loss"`
	ARI        *float64     `json:"adjusted_rand_index"`
	Purity     *float64     `json:"purity"`
	Clusters   [][]int      `json:"clusters"`
}

// comparison is the rows of the comparison, in its order.
func (f *found) comparison() ([]compareJSON, error) {
	var rows []compareJSON
	for _, c := range f.compare {
		row := compareJSON{Method: c.Method, Choose: c.Choose, Count: len(c.Clusters), Silhouette: report.Float(c.Silhouette), Loss: report.Float(c.Loss), Clusters: f.named(c.Clusters)}
		if f.groups != nil {
			labels := similarity.Labels(c.Clusters, len(f.groups))
			ari, err := similarity.AdjustedRandIndex(labels, f.groups)
			if err != nil {
				return nil, err
			}
			purity, err := similarity.Purity(labels, f.groups)
			if err != nil {
				return nil, err
			}
			row.ARI, row.Purity = &ari, &purity
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// named returns clusters of client ids.
func (f *found) named(clusters [][]int) [][]int {
	if f.ids == nil {
		return clusters
	}
	named := make([][]int, len(clusters))
	for z, members := range clusters {
		for _, i := range members {
			named[z] = append(named[z], f.ids[i])
		}
		slices.Sort(named[z])
	}
	return named
}

// rows are the clusters with their samples by class.
func (f *found) rows() ([]report.Cluster, error) {
	profiles, err := similarity.Profiles(f.counts, f.result.Clusters)
	if err != nil {
		return nil, err
	}
	rows, named := make([]report.Cluster, len(profiles)), f.named(f.result.Clusters)
	for z, p := range profiles {
		rows[z] = report.Cluster{Members: named[z], Samples: p.Samples, Histogram: p.Classes}
	}
	return rows, nil
}

// write leaves clusters.json, proximity.npy, the CC-graph and the plots in a directory.
func (f *found) write(d *report.Dir) error {
	c := f.result
	good, err := f.validity()
	if err != nil {
		return err
	}
	rows, err := f.rows()
	if err != nil {
		return err
	}
	out := clustersJSON{
		Clusters: f.named(c.Clusters), Clients: f.ids, ARI: good.ARI, Groups: f.groups, Threshold: report.Float(c.Threshold), Graph: c.Graph,
		Gates: report.Floats(c.Gates), Entropy: [2]report.Float{report.Float(c.EntropyBefore), report.Float(c.EntropyAfter)},
		Validity: good, Eigen: report.Floats(c.Eigenvalues),
	}
	if f.steady != nil {
		out.Stability = &stabilityJSON{report.Floats(f.steady.ARI), f.steady.Count, report.Floats(f.steady.Clusters)}
	}
	for p := range c.Graph { // none but FedDAG's clusterings have one
		row := make([]report.Float, len(c.Clusters))
		for q := range row {
			row[q] = report.Float(c.Complementarity.At(p, q))
		}
		out.Scores = append(out.Scores, row)
	}
	for _, k := range c.Candidates {
		out.Candidates = append(out.Candidates, candidateJSON{
			report.Float(k.Threshold), len(k.Clusters), report.Float(k.Loss), report.Float(k.L1), report.Float(k.L2),
			report.Float(k.Silhouette), report.Float(k.Ratio), k.Chosen, f.named(k.Clusters),
		})
	}
	if out.Comparison, err = f.comparison(); err != nil {
		return err
	}
	if err := d.WriteJSON("clusters.json", out); err != nil {
		return err
	}
	if err := d.WriteNPY("proximity.npy", c.Proximity); err != nil {
		return err
	}
	if c.Graph != nil {
		graph := report.CCGraph{Clusters: rows, Classes: f.classes, Scores: c.Complementarity, Sources: c.Graph}
		if err := d.WriteCCGraph("CC-graph: which cluster learns from which\n"+f.title, graph); err != nil {
			return err
		}
	}
	cuts, chosen := report.SearchCuts(&similarity.Choice{
		Candidates: c.Candidates, Threshold: c.Threshold, Clusters: c.Clusters, Dendrogram: c.Dendrogram,
	})
	for _, plot := range []struct {
		file string
		draw func(io.Writer) error
	}{
		{searchPlot, func(w io.Writer) error {
			return report.SearchPlot(w, "Search for the number of clusters\n"+f.title, cuts, chosen)
		}},
		{heatPlot, func(w io.Writer) error {
			return report.HeatMap(w, "Proximity of the clients, ordered by cluster (0 is alike)\n"+f.title, c.Proximity, c.Clusters)
		}},
		{dendrogramPlot, func(w io.Writer) error {
			return report.Dendrogram(w, "Dendrogram of the clients\n"+f.title, c.Dendrogram, c.Clusters, c.Threshold)
		}},
		{classesPlot, func(w io.Writer) error {
			return report.ClassTable(w, "Samples of each class by cluster\n"+f.title, rows, f.classes)
		}},
	} {
		if plot.file == dendrogramPlot && c.Dendrogram == nil { // spectral clustering has none
			continue
		}
		if err := d.WriteFile(plot.file, plot.draw); err != nil {
			return err
		}
	}
	return nil
}

// clusterPlots are the plots that write left, for the report; a run that was resumed has them from before.
func clusterPlots(exists func(file string) bool) (plots []report.Plot) {
	for _, p := range []report.Plot{
		{File: searchPlot, Text: "What the search for the number of clusters looked at."},
		{File: dendrogramPlot, Text: "How the clients merge, and where the tree was cut."},
		{File: heatPlot, Text: "What the clusters were found in."},
		{File: classesPlot, Text: "What the clusters hold."},
		{File: graphPlot, Text: "Which cluster learns from which."},
	} {
		if exists(p.File) {
			plots = append(plots, p)
		}
	}
	return plots
}

// print writes the tables a person reads: the clusters, how good they are, and the comparison where there is one.
func (f *found) print(w io.Writer) error {
	rows, err := f.rows()
	if err != nil {
		return err
	}
	good, err := f.validity()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, f.headline())
	steady := ""
	if f.steady != nil {
		steady = "  steady"
	}
	fmt.Fprintf(w, "cluster  clients  samples%s  learns from   samples by class\n", steady)
	for z, row := range rows {
		if f.steady != nil {
			steady = fmt.Sprintf("  %6.2f", f.steady.Clusters[z])
		}
		sources := ""
		if f.result.Graph != nil {
			sources = fmt.Sprint(f.result.Graph[z])
		}
		fmt.Fprintf(w, "%7d  %7d  %7d%s  %-12s  %v\n", z, len(row.Members), row.Samples, steady, sources, row.Histogram)
	}
	fmt.Fprintf(w, "silhouette %.3f", good.Silhouette)
	if good.ARI != nil {
		fmt.Fprintf(w, "; against the true groups: adjusted Rand index %.3f, normalised mutual information %.3f, purity %.3f", *good.ARI, *good.NMI, *good.Purity)
	}
	fmt.Fprintln(w)
	if f.steady != nil {
		mean, least := 0.0, 1.0
		for _, x := range f.steady.ARI {
			mean += x / float64(len(f.steady.ARI))
			least = min(least, x)
		}
		fmt.Fprintf(w, "with half of the mask, %d times: adjusted Rand index to this clustering %.3f (mean), %.3f (least); steady: mean Jaccard index of the cluster\n",
			len(f.steady.ARI), mean, least)
	}
	return f.printComparison(w)
}

// headline says what was found and how sure the gates are.
func (f *found) headline() string {
	c := f.result
	text := fmt.Sprintf("%d clusters of %d clients", len(c.Clusters), len(f.counts))
	if len(c.Clusters) == 1 {
		text = fmt.Sprintf("one cluster of %d clients", len(f.counts))
	}
	if c.Dendrogram != nil {
		text += fmt.Sprintf(", cut at α %.3g", c.Threshold)
	} else if k := len(c.Clusters); k < len(c.Eigenvalues) {
		text += fmt.Sprintf(", eigengap %.3g", c.Eigenvalues[k]-c.Eigenvalues[k-1])
	}
	for _, k := range c.Candidates {
		if k.Chosen {
			text += fmt.Sprintf(", loss %.3g", k.Loss)
		}
	}
	if c.Gates != nil {
		text += fmt.Sprintf("; entropy of A %.4f -> %.4f nats", c.EntropyBefore, c.EntropyAfter)
	}
	return text
}

func (f *found) printComparison(w io.Writer) error {
	rows, err := f.comparison()
	if err != nil || rows == nil {
		return err
	}
	fmt.Fprintf(w, "\n%-9s  %-10s  %8s  %10s  %8s", "method", "choose", "clusters", "silhouette", "loss")
	if f.groups != nil {
		fmt.Fprintf(w, "  %6s  %6s", "ARI", "purity")
	}
	fmt.Fprintln(w)
	spectral := false
	for _, row := range rows {
		spectral = spectral || row.Method == "spectral"
		fmt.Fprintf(w, "%-9s  %-10s  %8d  %10.3f  %8.4g", row.Method, row.Choose, row.Count, row.Silhouette, row.Loss)
		if row.ARI != nil {
			fmt.Fprintf(w, "  %6.3f  %6.3f", *row.ARI, *row.Purity)
		}
		fmt.Fprintln(w)
	}
	if !spectral {
		fmt.Fprintf(w, "spectral clustering is left out above %d clients: its cost grows with their cube; ask for it with --feddag-method spectral\n", similarity.SpectralClients)
	}
	return nil
}
