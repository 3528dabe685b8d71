// Package deal deals pieces of work out to workers that are alike.
package deal

import (
	"cmp"
	"slices"
)

// Longest deals pieces of work out to a number of workers, the costliest first, each to the worker that has the least so far.
// It returns the worker of each piece. The same costs give the same deal.
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
