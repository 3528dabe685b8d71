package feddag

import (
	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
)

// sketches makes what clients send for the clustering: the class counts, the principal vectors of each class's
// raw pixels, and the masked warm-up update. svdSamples, if above 0, bounds the images of a class that are looked at
// (appendix A.6.2).
func makeSketches(e *federation.Env, clients []*federation.Client, updates [][]float32, p similarity.Count, svdSamples int) ([]similarity.Sketch, error) {
	sketches, err := algorithm.Subspaces(e, clients, p, svdSamples)
	if err != nil {
		return nil, err
	}
	for i, c := range clients {
		s := &sketches[i]
		s.Update = make([]float64, len(updates[i]))
		for k, x := range updates[i] {
			s.Update[k] = float64(x)
		}
		e.Ledger.Up(c, "counts", len(s.Counts))
		algorithm.BookVectors(e, c, s)
	}
	return sketches, nil
}
