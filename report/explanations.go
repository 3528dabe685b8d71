package report

import (
	"fmt"
	"io"

	"feddag/similarity/groups"
)

// explainedClusters is the largest number of clusters for which all pairs are compared.
const explainedClusters = 20

// Explanations returns what separates each pair of clusters that tests found. It returns nil for other clusters, and for more
// than 20 clusters.
func (c *Clustering) Explanations() []groups.Explanation {
	if c.Result.Roster != nil && len(c.Result.Clusters) <= explainedClusters && c.explained == nil {
		c.explained = c.Result.Roster.Explanations(c.Classes)
	}
	return c.explained
}

// printExplanations writes a line for each pair of clusters that tests found: what separates them, and how sure that is.
func (c *Clustering) printExplanations(w io.Writer) {
	if c.Result.Roster != nil && len(c.Result.Clusters) > explainedClusters {
		fmt.Fprintf(w, "what separates the clusters is not listed for more than %d clusters\n", explainedClusters)
	}
	for _, x := range c.Explanations() {
		view := string(x.View)
		if view != "" {
			view += ": "
		}
		fmt.Fprintf(w, "%s%s\n", view, x.Sentence)
	}
}
