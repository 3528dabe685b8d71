package cflgp

import "feddag/internal/matching"

// matchLabels returns a number 0..k-1 for each of the labels 0..k-1, so that as many clients as possible keep their old
// number: the assignment of the largest agreement. labels and old stand in the order of the clients.
func matchLabels(labels, old []int, k int) []int {
	cost := make([][]float64, k) // of label l as number z: minus the clients that would stay
	for l := range cost {
		cost[l] = make([]float64, k)
	}
	for i, l := range labels {
		cost[l][old[i]]--
	}
	return matching.Least(cost)
}
