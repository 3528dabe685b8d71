package report

import (
	"fmt"
	"io"

	"feddag/similarity/groups"
)

// LikeImages says which of the clusters that tests found see like images, whatever they call them: the evidence for clusters that share
// an encoder.
type LikeImages struct {
	Clusters [][]int           `json:"clusters"` // lists of clusters of which each two see like images; every cluster is in one
	Pairs    []groups.Likeness `json:"pairs"`    // for each pair of clusters, which classes are of one kind, and how sure that is
}

// LikeImages compares the images of the clusters that tests found. It returns nil for other clusters, for one cluster, and for more
// than 20 clusters.
func (c *Clustering) LikeImages() (*LikeImages, error) {
	if n := len(c.Result.Clusters); c.Result.Roster == nil || n < 2 || n > explainedClusters || c.like != nil {
		return c.like, nil
	}
	bodies, err := c.Result.Roster.Bodies()
	if err != nil {
		return nil, fmt.Errorf("which clusters see like images: %w", err)
	}
	c.like = &LikeImages{bodies, c.Result.Roster.Likenesses()}
	return c.like, nil
}

// sentences says for each list of several clusters that they see like images.
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
		last := len(body) - 1
		lines = append(lines, fmt.Sprintf("clusters %s and %d see like images%s", listed(body[:last]), body[last], renamed))
	}
	if lines == nil {
		lines = []string{"no two clusters see like images"}
	}
	return lines
}

// printLikeImages writes the sentences about clusters that see like images.
func (c *Clustering) printLikeImages(w io.Writer) error {
	like, err := c.LikeImages()
	if err != nil || like == nil {
		return err
	}
	for _, line := range like.sentences() {
		fmt.Fprintln(w, line)
	}
	return nil
}
