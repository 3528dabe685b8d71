// Package deal distributes pieces of work over equal workers.
package deal

import (
	"cmp"
	"slices"
)

// Longest distributes pieces of work over a number of workers. It assigns the pieces in order of descending cost, each to the
// worker with the least work so far, and returns the worker of each piece. Equal costs give equal results.
func Longest(costs []int64, workers int) []int {
	order := make([]int, len(costs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	owner, load := make([]int, len(costs)), make([]int64, workers)
	for _, i := range order {
		least := 0
		for w := range load {
			if load[w] < load[least] {
				least = w
			}
		}
		owner[i] = least
		load[least] += max(costs[i], 1)
	}
	return owner
}

// Of returns the pieces of a worker, ascending.
func Of(owner []int, worker int) (mine []int) {
	for i, o := range owner {
		if o == worker {
			mine = append(mine, i)
		}
	}
	return mine
}
