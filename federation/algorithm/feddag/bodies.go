package feddag

import (
	"fmt"
	"slices"

	"feddag/similarity"
	"feddag/similarity/groups"
)

// Values of FedDAG.Body. Their meanings are in bodySharings.
const (
	BodyOwn   = "own"
	BodyAlike = "alike"
	BodyAll   = "all"
)

// Two clusters hold the same classes if at least sameClassesShare of the images of both are of classes that both hold. A cluster
// holds a class if the class has at least heldShare times an even share of the cluster's images.
const (
	sameClassesShare = 0.9
	heldShare        = 0.1
)

// A body is a primary encoder. Several clusters can train one body together and keep a head each. With BodyAlike, two kinds of
// clusters do so. Clusters that hold similar images, whatever they call them, would otherwise each learn the same encoder from a part of
// the clients (concept shift). Clusters that hold the same classes solve the same task on images of another style (feature skew).
// Clusters with other classes keep their own bodies, because an encoder for few classes is better at them (label skew). This is
// ours, not the paper's; docs/feddag.md measures it.

// joinBodies adds the clusters that have members and no body to bodies. clusters has the places of each cluster's members in
// sketches. images is the roster of clusters that tests found, or nil, which compares the classes alone.
func (a *FedDAG) joinBodies(bodies, clusters [][]int, sketches similarity.Sketches, images *groups.Roster) [][]int {
	var same func(y, z int) bool
	switch a.Body {
	case BodyAlike:
		sameClasses := comparedClasses(clusters, sketches.ClassCounts())
		same = sameClasses
		if images != nil {
			likeImages := images.LikeImages()
			same = func(y, z int) bool { return sameClasses(y, z) || likeImages(y, z) }
		}
	case BodyAll:
		same = func(int, int) bool { return true }
	default:
		return nil
	}
	var without []int
	for z, members := range clusters {
		if len(members) > 0 && !slices.ContainsFunc(bodies, func(body []int) bool { return slices.Contains(body, z) }) {
			without = append(without, z)
		}
	}
	return groups.Join(bodies, without, same)
}

// comparedClasses returns a function that reports whether two clusters hold the same classes. counts has the number of images of
// each class of each client.  [N, C]
func comparedClasses(clusters, counts [][]int) func(y, z int) bool {
	shares := make([][]float64, len(clusters)) // share of each class in the cluster's images; 0 for a class that it does not hold
	for z, members := range clusters {
		var sum []float64
		total := 0.
		for _, i := range members {
			if sum == nil {
				sum = make([]float64, len(counts[i]))
			}
			for c, n := range counts[i] {
				sum[c] += float64(n)
				total += float64(n)
			}
		}
		for c := range sum {
			if sum[c] /= max(total, 1); sum[c] < heldShare/float64(len(sum)) {
				sum[c] = 0
			}
		}
		shares[z] = sum
	}
	return func(y, z int) bool {
		both, all := 0., 0.
		for c := range min(len(shares[y]), len(shares[z])) {
			p, q := shares[y][c], shares[z][c]
			all += p + q
			if p > 0 && q > 0 {
				both += p + q
			}
		}
		return all > 0 && both >= sameClassesShare*all
	}
}

// extendBodies puts the clusters that have members and no body yet into bodies, and takes dissolved clusters out. A cluster keeps
// its body for good, because the mean of two encoders that were trained apart is not an encoder.
func (a *FedDAG) extendBodies() {
	var kept [][]int
	for _, body := range a.bodies {
		body = slices.DeleteFunc(slices.Clone(body), func(z int) bool { return len(a.clusters[z]) == 0 })
		if len(body) > 0 {
			kept = append(kept, body)
		}
	}
	var images *groups.Roster
	if r, ok := a.roster.(*testRoster); ok {
		images = r.Roster
	}
	a.bodies = a.joinBodies(kept, a.roster.members(), a.roster.sketches(), images)
}

// bodyOf returns the clusters that share the body of cluster z, ascending. It returns z alone if its body is not shared.
func (a *FedDAG) bodyOf(z int) []int {
	for _, body := range a.bodies {
		if slices.Contains(body, z) {
			return body
		}
	}
	return []int{z}
}

// checkBodies returns an error if the bodies in a checkpoint do not fit the clusters.
func (a *FedDAG) checkBodies() error {
	seen := map[int]bool{}
	for _, body := range a.bodies {
		for _, z := range body {
			if z < 0 || z >= len(a.clusters) || seen[z] {
				return fmt.Errorf("cluster %d is listed twice in the bodies, or is not among the %d clusters", z, len(a.clusters))
			}
			seen[z] = true
		}
	}
	return nil
}
