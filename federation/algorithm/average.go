package algorithm

import (
	"slices"

	"feddag/federation"
	"feddag/torch"
)

// AverageBy returns the models after a round in which clients trained. Model z becomes a weighted mean of trained states,
//
//	w_z <- Σ_k weight(z, k) ended_k / Σ_k weight(z, k)   over the indices k in members[z].
//
// A model without members does not change, and is the same vector in the result. The sums run in the order of members[z],
// which is ascending client id. On an error AverageBy closes every new vector. The models and the trained states still belong to
// the caller.
func AverageBy(net *torch.Network, models torch.Vectors, members [][]int, ended torch.Vectors, weight func(z, k int) float64) (next torch.Vectors, err error) {
	next = append(next, models...)
	for z, trained := range members {
		if len(trained) == 0 {
			continue
		}
		states, weights := make(torch.Vectors, len(trained)), make([]float64, len(trained))
		for i, k := range trained {
			states[i], weights[i] = ended[k], weight(z, k)
		}
		v, err := Mean(net, models[z], states, weights, torch.All)
		if err != nil {
			next.Without(models).Close()
			return nil, err
		}
		next[z] = v
	}
	return next, nil
}

// Mean returns the weighted mean of states, Σ w x / Σ w, in the given parts of the network, and the values of base in the
// others. The states must be in ascending client id, so that the sum does not depend on scheduling. The caller closes the
// result.
func Mean(net *torch.Network, base *torch.Vector, states torch.Vectors, weights []float64, parts torch.Part) (*torch.Vector, error) {
	v, err := base.Clone()
	if err != nil {
		return nil, err
	}
	for _, r := range Ranges(net, parts) {
		if err := v.SetMean(states, weights, r); err != nil {
			v.Close()
			return nil, err
		}
	}
	return v, nil
}

// Ranges returns the ranges of the given parts of a network in its state. A part that the network does not have has no range.
func Ranges(net *torch.Network, parts torch.Part) []torch.Range {
	if parts == torch.All {
		return []torch.Range{{Begin: 0, End: net.Len()}}
	}
	var rs []torch.Range
	for _, p := range []torch.Part{torch.Primary, torch.Secondary, torch.Head} {
		if r := net.Range(p); parts&p != 0 && r.Len() > 0 {
			rs = append(rs, r)
		}
	}
	return rs
}

// EqualWeights returns the weight 1 for every client, for a method that does not weight clients by their samples. It has the
// type of [Bank.Weigh].
func EqualWeights(clients []*federation.Client) []float64 {
	return slices.Repeat([]float64{1}, len(clients))
}
