package report

import (
	"fmt"
	"io"

	"feddag/similarity/groups"
)

// separationClusters is the largest number of clusters whose pairs are compared.
const separationClusters = 20

// separationJSON is a groups.Separation: two clusters, the view in which they differ, and its p-value, null for labels.
type separationJSON struct {
	Clusters [2]int `json:"clusters"`
	View     string `json:"view"`
	P        Float  `json:"p"`
}

// separations returns what separates each pair of clusters that tests found. It returns nil for other clusters, and for more
// than 20 clusters.
func (c *Clustering) separations() []groups.Separation {
	if c.Result.Test == nil || len(c.Result.Clusters) > separationClusters {
		return nil
	}
	return c.Result.Test.Separations()
}

// printSeparations writes a line for each pair of clusters that tests found: what separates them, and how sure that is.
func (c *Clustering) printSeparations(w io.Writer) {
	if c.Result.Test != nil && len(c.Result.Clusters) > separationClusters {
		fmt.Fprintf(w, "what separates the clusters is not listed for more than %d clusters\n", separationClusters)
	}
	for _, s := range c.separations() {
		fmt.Fprintf(w, "clusters %d and %d: ", s.A, s.B)
		switch s.View {
		case "":
			fmt.Fprintf(w, "a test of both together does not tell them apart (p = %.2g)\n", s.P)
		case groups.Labels:
			fmt.Fprintf(w, "labels: %s\n", s.View.Meaning())
		default:
			fmt.Fprintf(w, "%s: %s (p = %.2g)\n", s.View, s.View.Meaning(), s.P)
		}
	}
}
