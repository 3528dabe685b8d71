package federation

import "feddag/similarity"

// sketches makes what clients send for the clustering: the class counts, the principal vectors of each class's
// raw pixels, and the masked warm-up update. svdSamples, if above 0, bounds the images of a class that are looked at
// (appendix A.6.2).
func makeSketches(e *Env, clients []*Client, updates [][]float32, p similarity.Count, svdSamples int) ([]similarity.Sketch, error) {
	sketches, err := subspaces(e, clients, p, svdSamples)
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
		bookVectors(e, c, s)
	}
	return sketches, nil
}
