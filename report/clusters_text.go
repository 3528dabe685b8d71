package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"feddag/similarity"
)

// Print writes tables for the terminal: the clusters, their quality, and the comparison of methods if there is one.
func (c *Clustering) Print(w io.Writer) error {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	good, err := c.Validity()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, c.headline())
	steady := ""
	if c.Stability != nil {
		steady = "  steady"
	}
	fmt.Fprintf(w, "cluster  clients  samples%s  learns from   samples by class\n", steady)
	for z, row := range rows {
		if c.Stability != nil {
			steady = fmt.Sprintf("  %6.2f", c.Stability.Clusters[z])
		}
		sources := ""
		if c.Result.Graph != nil {
			sources = fmt.Sprint(c.Result.Graph[z])
		}
		fmt.Fprintf(w, "%7d  %7d  %7d%s  %-12s  %v\n", z, len(row.Members), row.Samples, steady, sources, row.Histogram)
	}
	var measures []string
	if !math.IsNaN(float64(good.Silhouette)) {
		measures = append(measures, fmt.Sprintf("silhouette %.3f", good.Silhouette))
	}
	if good.ARI != nil {
		measures = append(measures, fmt.Sprintf("against the true groups: adjusted Rand index %.3f, normalised mutual information %.3f, purity %.3f", *good.ARI, *good.NMI, *good.Purity))
	}
	if measures != nil {
		fmt.Fprintln(w, strings.Join(measures, "; "))
	}
	c.printExplanations(w)
	c.printLikeImages(w)
	c.printSharedParts(w)
	if c.Stability != nil {
		mean, least := 0.0, 1.0
		for _, x := range c.Stability.ARI {
			mean += x / float64(len(c.Stability.ARI))
			least = min(least, x)
		}
		half, also := "the mask", ""
		if c.Stability.Between != nil {
			half, also = "the images", fmt.Sprintf(", of the halves to each other %.3f", *c.Stability.Between)
		}
		fmt.Fprintf(w, "with half of %s, %d times: adjusted Rand index to this clustering %.3f (mean), %.3f (least)%s; steady: mean Jaccard index of the cluster\n",
			half, len(c.Stability.ARI), mean, least, also)
	}
	return c.printComparison(w)
}

// headline gives the number of clusters, the height at which the tree was cut, and the entropy before and after learning the
// gates.
func (c *Clustering) headline() string {
	r := c.Result
	text := fmt.Sprintf("%d clusters of %d clients", len(r.Clusters), len(c.Counts))
	if len(r.Clusters) == 1 {
		text = fmt.Sprintf("one cluster of %d clients", len(c.Counts))
	}
	if r.FoundBy != "" {
		text += ", found by " + r.FoundBy
	}
	if r.Dendrogram != nil {
		text += fmt.Sprintf(", cut at α %.3g", r.Threshold)
	} else if k := len(r.Clusters); k < len(r.Eigenvalues) {
		text += fmt.Sprintf(", eigengap %.3g", r.Eigenvalues[k]-r.Eigenvalues[k-1])
	}
	for _, k := range r.Candidates {
		if k.Chosen {
			text += fmt.Sprintf(", loss %.3g", k.Loss)
		}
	}
	if r.Gates != nil {
		text += fmt.Sprintf("; entropy of A %.4f -> %.4f nats", r.EntropyBefore, r.EntropyAfter)
	}
	return text
}

// printComparison writes the table of clustering methods.
func (c *Clustering) printComparison(w io.Writer) error {
	rows, err := c.comparison()
	if err != nil || rows == nil {
		return err
	}
	fmt.Fprintf(w, "\n%-9s  %-10s  %8s  %10s  %8s", "method", "choose", "clusters", "silhouette", "loss")
	if c.Groups != nil {
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
