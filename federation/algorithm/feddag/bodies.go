package feddag

import (
	"fmt"
	"slices"
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

// beginBodies sets the bodies of the first clusters. alike has those that see like images, with BodyAlike.
func (a *FedDAG) beginBodies(alike [][]int) {
	switch a.Body {
	case BodyAlike:
		a.bodies = alike
	case BodyAll:
		a.bodies = [][]int{a.inhabited()}
	}
}

// extendBodies puts the clusters that have members and no body yet into bodies, and takes dissolved clusters out. A cluster keeps
// its body for good, because the mean of two encoders that were trained apart is not an encoder.
func (a *FedDAG) extendBodies() (err error) {
	switch a.Body {
	case BodyAlike:
		var kept [][]int
		for _, body := range a.bodies {
			body = slices.DeleteFunc(slices.Clone(body), func(z int) bool { return len(a.clusters[z]) == 0 })
			if len(body) > 0 {
				kept = append(kept, body)
			}
		}
		if a.bodies, err = a.roster.(*testRoster).ExtendBodies(kept); err != nil {
			return fmt.Errorf("clusters that see like images: %w", err)
		}
	case BodyAll:
		a.bodies = [][]int{a.inhabited()}
	}
	return nil
}

// inhabited returns the clusters that have members.
func (a *FedDAG) inhabited() (all []int) {
	for z, members := range a.clusters {
		if len(members) > 0 {
			all = append(all, z)
		}
	}
	return all
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
