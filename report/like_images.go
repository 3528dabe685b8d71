package report

import (
	"fmt"
	"io"

	"feddag/similarity/groups"
)

// LikeImages says which of the clusters that tests found have similar images, regardless of their labels. Such clusters can
// share an encoder.
type LikeImages struct {
	Clusters [][]int           `json:"clusters"` // lists of clusters; any two clusters in a list have similar images, and every cluster is in one list
	Pairs    []groups.Likeness `json:"pairs"`    // which classes have similar images, and with which certainty, for each pair of clusters
}

// LikeImages compares the images of the clusters that tests found. It returns nil for other clusters, for one cluster, and for more
// than 20 clusters.
func (c *Clustering) LikeImages() *LikeImages {
	if n := len(c.Result.Clusters); c.Result.Roster == nil || n < 2 || n > explainedClusters || c.like != nil {
		return c.like
	}
	c.like = &LikeImages{c.Result.Roster.Bodies(), c.Result.Roster.Likenesses()}
	return c.like
}

// sentences returns a sentence for each list of several clusters, which says that they have similar images.
func (l *LikeImages) sentences() (lines []string) {
	for _, body := range l.Clusters {
		if len(body) < 2 {
			continue
		}
		renamed := ""
		for _, x := range l.Pairs {
			if x.A == body[0] && x.B == body[1] && x.Renamed {
				renamed = ", which they name differently"
			}
		}
		lines = append(lines, fmt.Sprintf("clusters %s hold similar images%s", enumerated(body), renamed))
	}
	if lines == nil {
		lines = []string{"no two clusters hold similar images"}
	}
	return lines
}

// enumerated lists two or more clusters: "0, 1 and 2".
func enumerated(clusters []int) string {
	last := len(clusters) - 1
	return fmt.Sprintf("%s and %d", listed(clusters[:last]), clusters[last])
}

// printLikeImages writes the sentences about clusters that hold similar images.
func (c *Clustering) printLikeImages(w io.Writer) {
	like := c.LikeImages()
	if like == nil {
		return
	}
	for _, line := range like.sentences() {
		fmt.Fprintln(w, line)
	}
}
