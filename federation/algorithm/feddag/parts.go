package feddag

import (
	"fmt"
	"slices"

	"feddag/similarity"
	"feddag/similarity/groups"
	"feddag/torch"
)

// Values of FedDAG.Body. Their meanings are in bodySharings.
const (
	BodyOwn   = "own"
	BodyAlike = "alike"
	BodyParts = "parts"
	BodyAll   = "all"
)

// Two clusters hold the same classes if at least sameClassesShare of the images of both are of classes that both hold. A cluster
// holds a class if the class has at least heldShare times an even share of the cluster's images.
const (
	sameClassesShare = 0.9
	heldShare        = 0.1
)

// Several clusters can train a part of their networks together: the first layer, the rest of the primary encoder, or the head. With
// BodyParts, two clusters share the parts for which their data agree.
//
//	                                    first layer   rest of the encoder   head
//	similar images, other names         shared        shared                own      concept shift
//	same classes, other images          own           shared                shared   feature skew
//	same classes, other images, names   own           shared                own
//	other classes                       own           own                   own      label skew
//
// An encoder for images that are alike learns the same from all of them, whatever they are called. Clusters that hold the same
// classes in another style solve one task, and the first layer adapts it to the style. An encoder for few classes is better at these
// than an encoder for all. This is ours, not the paper's; docs/feddag.md measures it.

// sharedPart is a part of a network and the clusters that train it together.
type sharedPart struct {
	part   torch.Part  // Primary or Head, to which the range belongs
	values torch.Range // may be empty
	lists  [][]int     // clusters that share the part; a cluster that is in no list has a part of its own
}

// sharedParts returns the parts of a network that clusters can share.
func (a *FedDAG) sharedParts(net *torch.Network) []sharedPart {
	primary, first := net.Range(torch.Primary), net.FirstLayer()
	return []sharedPart{
		{torch.Primary, first, a.sharing.FirstLayers},
		{torch.Primary, torch.Range{Begin: first.End, End: primary.End}, a.sharing.Encoders},
		{torch.Head, net.Range(torch.Head), a.sharing.Heads},
	}
}

// clustersWith returns the clusters that share the part with cluster z, ascending. It returns z alone if z has a part of its own.
func (p *sharedPart) clustersWith(z int) []int {
	if list := listWith(p.lists, z); list != nil {
		return list
	}
	return []int{z}
}

// listWith returns the list that contains cluster z, or nil if there is none.
func listWith(lists [][]int, z int) []int {
	if k := slices.IndexFunc(lists, func(list []int) bool { return slices.Contains(list, z) }); k >= 0 {
		return lists[k]
	}
	return nil
}

// extend returns kept with the clusters that have members and are in no list yet. clusters has the places of each cluster's members
// in sketches. images is the roster of clusters that tests found. If it is nil, nothing is known of the images and the names, and
// clusters with the same classes share their encoder.
func (a *FedDAG) extend(kept similarity.Sharing, clusters [][]int, sketches similarity.Sketches, images *groups.Roster) similarity.Sharing {
	if a.Body == BodyOwn {
		return similarity.Sharing{}
	}
	join := func(lists [][]int, same func(y, z int) bool) [][]int {
		var without []int
		for z, members := range clusters {
			if len(members) > 0 && listWith(lists, z) == nil {
				without = append(without, z)
			}
		}
		return groups.Join(lists, without, same)
	}
	sameClasses := comparedClasses(clusters, sketches.ClassCounts())
	likeImages, sameNames := func(_, _ int) bool { return false }, func(_, _ int) bool { return false }
	if images != nil && a.Body != BodyAll {
		likeImages = images.LikeImages()
	}
	if images != nil && a.Body == BodyParts {
		sameNames = images.SameNames()
	}
	related := func(y, z int) bool { return a.Body == BodyAll || sameClasses(y, z) || likeImages(y, z) }
	var next similarity.Sharing
	next.Encoders = join(kept.Encoders, related)
	oneEncoder := func(y, z int) bool { return slices.Contains(listWith(next.Encoders, y), z) }
	next.FirstLayers = join(kept.FirstLayers, func(y, z int) bool {
		return oneEncoder(y, z) && (a.Body != BodyParts || images == nil || likeImages(y, z))
	})
	next.Heads = join(kept.Heads, func(y, z int) bool {
		return oneEncoder(y, z) && a.Body == BodyParts && sameClasses(y, z) && sameNames(y, z)
	})
	return next
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

// extendSharing adds the clusters that are in no list yet to the lists of clusters that share a part, and takes dissolved clusters
// out. A cluster keeps its lists for good, because the mean of two encoders that were trained apart is not an encoder.
func (a *FedDAG) extendSharing() {
	kept := func(lists [][]int) (left [][]int) {
		for _, list := range lists {
			list = slices.DeleteFunc(slices.Clone(list), func(z int) bool { return len(a.clusters[z]) == 0 })
			if len(list) > 0 {
				left = append(left, list)
			}
		}
		return left
	}
	var images *groups.Roster
	if r, ok := a.roster.(*testRoster); ok {
		images = r.Roster
	}
	s := similarity.Sharing{FirstLayers: kept(a.sharing.FirstLayers), Encoders: kept(a.sharing.Encoders), Heads: kept(a.sharing.Heads)}
	a.sharing = a.extend(s, a.roster.members(), a.roster.sketches(), images)
}

// copyShared copies to the state of a new cluster z the parts that it shares with clusters of lower numbers.
func (a *FedDAG) copyShared(state *torch.Vector, z int) error {
	for _, p := range a.sharedParts(a.net) {
		for _, y := range p.clustersWith(z) {
			if y < z && a.states[y] != nil && p.values.Len() > 0 {
				if err := state.Copy(p.values, a.states[y], p.values); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// checkSharing returns an error if the lists in a checkpoint do not fit the clusters.
func (a *FedDAG) checkSharing() error {
	for _, part := range []struct {
		name  string
		lists [][]int
	}{{"first layers", a.sharing.FirstLayers}, {"encoders", a.sharing.Encoders}, {"heads", a.sharing.Heads}} {
		seen := map[int]bool{}
		for _, list := range part.lists {
			for _, z := range list {
				if z < 0 || z >= len(a.clusters) || seen[z] {
					return fmt.Errorf("cluster %d is listed twice in the shared %s, or is not among the %d clusters", z, part.name, len(a.clusters))
				}
				seen[z] = true
			}
		}
	}
	return nil
}
