package similarity

import "fmt"

// ClusterProfile describes a cluster in reports.
type ClusterProfile struct {
	Clients int   // |C_z|
	Samples int   // number of samples of all its clients
	Classes []int // number of samples of each class; C
	Holders []int // number of clients that hold each class; C
}

// Profiles returns the size and class histogram of every cluster, from counts n_i,c (N x C).
func Profiles(counts [][]int, clusters [][]int) ([]ClusterProfile, error) {
	if len(counts) == 0 {
		return nil, fmt.Errorf("profiles: there are no clients")
	}
	if err := checkPartition(clusters, len(counts)); err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	classes := len(counts[0])
	for i, row := range counts {
		if len(row) != classes {
			return nil, fmt.Errorf("profiles: client %d has counts for %d classes, but client 0 has counts for %d", i, len(row), classes)
		}
	}
	profiles := make([]ClusterProfile, len(clusters))
	for z, members := range clusters {
		p := ClusterProfile{Clients: len(members), Classes: make([]int, classes), Holders: make([]int, classes)}
		for _, i := range members {
			for c, n := range counts[i] {
				p.Samples += n
				p.Classes[c] += n
				if n > 0 {
					p.Holders[c]++
				}
			}
		}
		profiles[z] = p
	}
	return profiles, nil
}
