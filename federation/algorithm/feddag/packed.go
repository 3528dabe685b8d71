package feddag

import (
	"encoding/json"
	"fmt"

	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// packedClusters is what a process of the run needs of a clustering that another one has done.
type packedClusters struct {
	Clusters        [][]int `json:"clusters"`
	Graph           [][]int `json:"graph"`
	Complementarity []byte  `json:"complementarity,omitempty"` // the matrix in gonum's form, which keeps the bits of infinity
}

func packClusters(r *similarity.Result) (raw []byte, err error) {
	p := packedClusters{Clusters: r.Clusters, Graph: r.Graph}
	if r.Complementarity != nil {
		if p.Complementarity, err = r.Complementarity.MarshalBinary(); err != nil {
			return nil, fmt.Errorf("packing the clusters: %w", err)
		}
	}
	return json.Marshal(p)
}

func unpackClusters(raw []byte) (*similarity.Result, error) {
	var p packedClusters
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("unpacking the clusters: %w", err)
	}
	r := &similarity.Result{Clusters: p.Clusters, Graph: p.Graph}
	if p.Complementarity != nil {
		r.Complementarity = new(mat.Dense)
		if err := r.Complementarity.UnmarshalBinary(p.Complementarity); err != nil {
			return nil, fmt.Errorf("unpacking the clusters: %w", err)
		}
	}
	return r, nil
}
