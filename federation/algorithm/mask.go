package algorithm

import (
	"math"
	"slices"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/torch"
)

// mask draws the coordinates that every client sends: max(1, round(fraction P)) of the P parameters, ascending. Running
// statistics are none: they move by other rules than gradients.
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
