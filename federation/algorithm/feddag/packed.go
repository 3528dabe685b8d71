package feddag

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// packedClusters is the part of a clustering that one process of the run sends to the others.
type packedClusters struct {
	Clusters, Graph [][]int
	Complementarity *mat.Dense
	Sharing         similarity.Sharing
}

func packClusters(r *similarity.Result) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(packedClusters{r.Clusters, r.Graph, r.Complementarity, r.Sharing}); err != nil {
		return nil, fmt.Errorf("packing the clusters: %w", err)
	}
	return b.Bytes(), nil
}

func unpackClusters(raw []byte) (*similarity.Result, error) {
	var p packedClusters
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&p); err != nil {
		return nil, fmt.Errorf("unpacking the clusters: %w", err)
	}
	return &similarity.Result{Clusters: p.Clusters, Graph: p.Graph, Complementarity: p.Complementarity, Sharing: p.Sharing}, nil
}
