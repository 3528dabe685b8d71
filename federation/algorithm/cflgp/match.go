package cflgp

// matchLabels returns a number 0..k-1 for each of the labels 0..k-1, so that as many clients as possible keep their old
// number: the assignment of the largest agreement (Kuhn 1955, Munkres 1957; the form with potentials, O(k³)). labels and old
// stand in the order of the clients.
func matchLabels(labels, old []int, k int) []int {
	cost := make([][]int, k+1) // of label l as number z, from 1: minus the clients that would stay
	for l := range cost {
		cost[l] = make([]int, k+1)
	}
	for i, l := range labels {
		cost[l+1][old[i]+1]--
	}
	row, column := make([]int, k+1), make([]int, k+1) // potentials
	label := make([]int, k+1)                         // that has each number; 0 for none
	way := make([]int, k+1)
	const inf = 1 << 30
	for l := 1; l <= k; l++ {
		label[0] = l
		z := 0
		least, done := make([]int, k+1), make([]bool, k+1)
		for i := range least {
			least[i] = inf
		}
		for label[z] != 0 {
			done[z] = true
			here, delta, next := label[z], inf, 0
			for c := 1; c <= k; c++ {
				if done[c] {
					continue
				}
				if x := cost[here][c] - row[here] - column[c]; x < least[c] {
					least[c], way[c] = x, z
				}
				if least[c] < delta {
					delta, next = least[c], c
				}
			}
			for c := range k + 1 {
				if done[c] {
					row[label[c]] += delta
					column[c] -= delta
				} else {
					least[c] -= delta
				}
			}
			z = next
		}
		for z != 0 {
			label[z] = label[way[z]]
			z = way[z]
		}
	}
	number := make([]int, k)
	for z := 1; z <= k; z++ {
		number[label[z]-1] = z - 1
	}
	return number
}
