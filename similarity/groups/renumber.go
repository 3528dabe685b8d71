package groups

import "fmt"

// Renumber gives cluster k the number numbers[k]. The numbers must be distinct and less than count. The remaining numbers below
// count belong to clusters without members.
func (r *Roster) Renumber(numbers []int, count int) error {
	if len(numbers) != len(r.Clusters) {
		return fmt.Errorf("renumbering: there are %d numbers for %d clusters", len(numbers), len(r.Clusters))
	}
	clusters, labels, taken := make([][]int, count), make([]int, count), make([]bool, count)
	for k, z := range numbers {
		if z < 0 || z >= count || taken[z] {
			return fmt.Errorf("renumbering: cluster %d gets number %d, which must be below %d and not in use", k, z, count)
		}
		clusters[z], labels[z], taken[z] = r.Clusters[k], r.labelOf[k], true
	}
	r.Clusters, r.labelOf, r.cached = clusters, labels, nil
	return nil
}
