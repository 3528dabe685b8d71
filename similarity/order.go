package similarity

import "slices"

// sumSorted adds up a function of a map's entries from the smallest value to the largest, so that the sum does not
// depend on the map's order.
func sumSorted[K comparable, V any](m map[K]V, f func(K, V) float64) (total float64) {
	values := make([]float64, 0, len(m))
	for k, v := range m {
		values = append(values, f(k, v))
	}
	slices.Sort(values)
	for _, x := range values {
		total += x
	}
	return total
}
