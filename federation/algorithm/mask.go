package algorithm

import (
	"math"
	"slices"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/torch"
)

// Mask draws the coordinates of a network's state that every client sends, for a method whose clients send a share of their
// gradient. It draws max(1, round(fraction P)) of the P parameters, uniformly without replacement, and returns them in
// ascending order. The mask depends only on the run's seed, so all clients have the same one. It never contains running
// statistics of normalisation layers, since these do not change by gradients.
func Mask(e *federation.Env, net *torch.Network, fraction float64) []int64 {
	var parameters []int64
	for _, r := range net.Trained(torch.All) {
		for i := r.Begin; i < r.End; i++ {
			parameters = append(parameters, int64(i))
		}
	}
	p := len(parameters)
	k := min(p, max(1, int(math.Round(fraction*float64(p)))))
	mask := make([]int64, k)
	for i, c := range stream.New(e.Seed, "mask").Perm(p)[:k] {
		mask[i] = parameters[c]
	}
	slices.Sort(mask)
	return mask
}
