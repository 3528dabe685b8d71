package report

import (
	"math"

	"feddag/federation"
	"feddag/similarity"
)

// ClusteringSummary is summary.json of a clustering without training, and the
// last line of the command's standard output.
type ClusteringSummary struct {
	Algorithm string                       `json:"algorithm"`
	Dataset   string                       `json:"dataset,omitempty"`
	Sketches  string                       `json:"sketches,omitempty"`
	Seed      uint64                       `json:"seed"`
	Clients   int                          `json:"clients"`
	Clusters  int                          `json:"clusters"`
	FoundBy   string                       `json:"found_by,omitempty"` // see Summary
	ARI       *float64                     `json:"adjusted_rand_index,omitempty"`
	Threshold Float                        `json:"threshold"`
	Loss      Float                        `json:"loss"`
	Sizes     []int                        `json:"sizes"`
	Graph     [][]int                      `json:"graph"`
	BytesUp   int64                        `json:"bytes_up,omitempty"`
	BytesDown int64                        `json:"bytes_down,omitempty"`
	Seconds   map[federation.Stage]float64 `json:"seconds"`
	PeakRSS   int64                        `json:"peak_rss_bytes"`
	Device    string                       `json:"device,omitempty"`
}

// SetClustering fills in the fields that depend only on the clustering.
func (s *ClusteringSummary) SetClustering(c *Clustering) error {
	r := c.Result
	s.Clients, s.Clusters = len(c.Counts), len(r.Clusters)
	s.FoundBy, s.Threshold, s.Graph = r.FoundBy, Float(r.Threshold), r.Graph
	if r.FoundBy == similarity.FoundByTest { // there is no cut and no loss
		s.Threshold, s.Loss = Float(math.NaN()), Float(math.NaN())
	}
	s.Sizes = nil
	for _, members := range r.Clusters {
		s.Sizes = append(s.Sizes, len(members))
	}
	for _, candidate := range r.Candidates {
		if candidate.Chosen {
			s.Loss = Float(candidate.Loss)
		}
	}
	validity, err := c.Validity()
	s.ARI = validity.ARI
	return err
}

// WriteClusteringSummary writes summary.json.
func (d *Dir) WriteClusteringSummary(s ClusteringSummary) error { return d.WriteJSON(SummaryFile, s) }
