package feddag

import (
	"fmt"
	"slices"

	"feddag/similarity/groups"
)

// Values of FedDAG.Body. Their meanings are in bodySharings.
const (
	BodyOwn   = "own"
	BodyAlike = "alike"
	BodyAll   = "all"
)

// A body is a primary encoder. Clusters that see like images, whatever they call them, can train one body together and keep a
// head each: under concept shift the images of all clusters are alike and only their names differ, so each of them would otherwise
// learn the same encoder from a part of the clients. This is ours, not the paper's; docs/feddag.md has what it brings.

// extendBodies puts the clusters that have members and no body yet into bodies, and takes dissolved clusters out. A cluster keeps
// its body for good, because the mean of two encoders that were trained apart is not an encoder. r is the roster of the
// clusters; it is needed for BodyAlike alone.
func (a *FedDAG) extendBodies(r *groups.Roster) error {
	if a.Body == BodyOwn {
		return nil
	}
	bodies := make([][]int, 0, len(a.bodies))
	for _, body := range a.bodies {
		body = slices.DeleteFunc(slices.Clone(body), func(z int) bool { return len(a.clusters[z]) == 0 })
		if len(body) > 0 {
			bodies = append(bodies, body)
		}
	}
	if a.Body == BodyAlike {
		var err error
		if a.bodies, err = r.ExtendBodies(bodies); err != nil {
			return fmt.Errorf("clusters that see like images: %w", err)
		}
		return nil
	}
	var all []int
	for z, members := range a.clusters {
		if len(members) > 0 {
			all = append(all, z)
		}
	}
	a.bodies = [][]int{all}
	return nil
}

// bodyOf returns the clusters that have the body of cluster z, ascending: z alone unless bodies are shared.
func (a *FedDAG) bodyOf(z int) []int {
	for _, body := range a.bodies {
		if slices.Contains(body, z) {
			return body
		}
	}
	return []int{z}
}

// checkBodies reports bodies of a checkpoint that do not fit the clusters.
func (a *FedDAG) checkBodies() error {
	seen := map[int]bool{}
	for _, body := range a.bodies {
		for _, z := range body {
			if z < 0 || z >= len(a.clusters) || seen[z] {
				return fmt.Errorf("cluster %d has a body twice, or is none of the %d clusters", z, len(a.clusters))
			}
			seen[z] = true
		}
	}
	return nil
}
