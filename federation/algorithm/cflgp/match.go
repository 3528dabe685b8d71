package cflgp

import "feddag/internal/matching"

// matchLabels returns a number 0..k-1 for each of the labels 0..k-1, so that as many clients as possible keep their old
// number. labels and old are in the order of the clients.
func matchLabels(labels, old []int, k int) []int {
	cost := make([][]float64, k) // cost[l][z] is minus the number of clients that keep their number if label l becomes number z
	for l := range cost {
		cost[l] = make([]float64, k)
	}
	for i, l := range labels {
		cost[l][old[i]]--
	}
	return matching.Least(cost)
}
