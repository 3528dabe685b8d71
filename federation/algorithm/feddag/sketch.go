package feddag

import (
	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
)

// makeSketches returns what the clients send for the clustering, in the order of the clients: the class counts n_i,c, the
// principal vectors U_c^i of the raw pixels of each class, and the masked warm-up update Δ~_i, which updates holds for each
// client. If SVDSamples is above 0, at most SVDSamples random images of a class are used (appendix A.6.2).
func (a *FedDAG) makeSketches(env *federation.Env, clients []*federation.Client, updates [][]float32) ([]similarity.Sketch, error) {
	p, err := similarity.ParseCount(a.PrincipalVectors)
	if err != nil {
		return nil, err
	}
	sketches, err := algorithm.Subspaces(env, clients, p, a.SVDSamples)
	if err != nil {
		return nil, err
	}
	for i, c := range clients {
		s := &sketches[i]
		s.Update = make([]float64, len(updates[i]))
		for k, x := range updates[i] {
			s.Update[k] = float64(x)
		}
		env.Ledger.Up(c, "counts", len(s.Counts))
		algorithm.BookVectors(env, c, s)
	}
	return sketches, nil
}

// shareSketches is like [FedDAG.makeSketches] for a run of several processes, each of which keeps the principal vectors of some
// clients.
func (a *FedDAG) shareSketches(env *federation.Env, clients []*federation.Client, updates [][]float32) (*similarity.Shared, error) {
	p, err := similarity.ParseCount(a.PrincipalVectors)
	if err != nil {
		return nil, err
	}
	shared, values, err := algorithm.SharedSubspaces(env, clients, p, a.SVDSamples)
	if err != nil {
		return nil, err
	}
	shared.Updates = updates
	for i, c := range clients {
		env.Ledger.Up(c, "counts", len(shared.Counts[i]))
		env.Ledger.Up(c, "principal vectors", values[i])
	}
	return shared, nil
}
