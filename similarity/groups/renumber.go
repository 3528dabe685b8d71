package groups

import "fmt"

// Renumber gives cluster k the number numbers[k]. The others of count numbers belong to clusters without members. The numbers
// must be different and less than count.
func (r *Roster) Renumber(numbers []int, count int) error {
	if len(numbers) != len(r.Clusters) {
		return fmt.Errorf("renumbering: %d numbers for %d clusters", len(numbers), len(r.Clusters))
	}
	clusters, labels, taken := make([][]int, count), make([]int, count), make([]bool, count)
	for k, z := range numbers {
		if z < 0 || z >= count || taken[z] {
			return fmt.Errorf("renumbering: cluster %d gets number %d of %d, which must be free", k, z, count)
		}
		clusters[z], labels[z], taken[z] = r.Clusters[k], r.labelOf[k], true
	}
	r.Clusters, r.labelOf, r.cached = clusters, labels, nil
	return nil
}
