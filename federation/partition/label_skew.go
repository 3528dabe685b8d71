package partition

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// label-skew (I): label skew with quantity shift. Each of G client groups gets LabelsPerGroup labels, those no group
// has taken yet first, then any at random; each client joins a group at random; the samples of a label are divided
// among all clients that hold it by a Dirichlet draw, at least 1 each. Labels that no group took stay unused.
//
// Groups is a client's group. Two groups never have the same labels as long as there are enough ways to choose them;
// where there are not (every group has all labels, say), nothing tells such groups apart and they count as one.
func init() {
	register(kind{
		name:    "label-skew",
		help:    "groups of clients with few labels each, Dirichlet quantities (--clients, --groups, --labels-per-group or --label-fraction, --concentration)",
		resolve: resolveLabelSkew,
		deal:    dealLabelSkew,
	})
}

func resolveLabelSkew(s *data.Set, o Options) (Options, error) {
	if err := checkConcentration(o.Concentration); err != nil {
		return o, err
	}
	if o.Groups < 1 {
		return o, fmt.Errorf("--groups %d: must be at least 1", o.Groups)
	}
	if o.Groups > o.Clients {
		return o, fmt.Errorf("--groups %d: more groups than the %d clients; use fewer groups or more --clients", o.Groups, o.Clients)
	}
	if f := o.LabelFraction; f != 0 {
		if math.IsNaN(f) || f < 0 || f > 1 {
			return o, fmt.Errorf("--label-fraction %v: must be above 0 and at most 1", f)
		}
		o.LabelsPerGroup = max(1, int(math.Round(f*float64(s.Classes))))
	}
	if o.LabelsPerGroup < 1 {
		return o, fmt.Errorf("--labels-per-group %d: must be at least 1", o.LabelsPerGroup)
	}
	if n := len(presentLabels(s)); o.LabelsPerGroup > n {
		return o, fmt.Errorf("--labels-per-group %d: data set %s has samples of only %d classes", o.LabelsPerGroup, s.Name, n)
	}
	return Options{
		Groups: o.Groups, LabelsPerGroup: o.LabelsPerGroup, LabelFraction: o.LabelFraction, Concentration: o.Concentration,
	}, nil
}

// presentLabels returns the labels that have training samples, ascending.
func presentLabels(s *data.Set) []int {
	var labels []int
	for l, n := range s.ClassCounts(s.Train) {
		if n > 0 {
			labels = append(labels, l)
		}
	}
	return labels
}

// skewDraws bounds how often groups are drawn anew because more clients would hold a label than it has samples.
const skewDraws = 20

func dealLabelSkew(p *Partition, s *data.Set) error {
	byClass := classIndices(s.Train.Labels, s.Classes)
	labels := presentLabels(s)
	var holders [][]int // clients by label, ascending
	for draw := range uint64(skewDraws + 1) {
		// The last draw spreads the labels evenly over the groups: the repair where chance does not do it.
		sets := drawLabelSets(stream.New(p.Seed, "partition/label-skew/labels", draw), labels, p.Params.Groups,
			p.Params.LabelsPerGroup, draw == skewDraws)
		p.Groups = drawGroups(stream.New(p.Seed, "partition/label-skew/groups", draw), len(p.Shards), p.Params.Groups, false)
		holders = make([][]int, s.Classes)
		for i, g := range p.Groups {
			for _, l := range sets[g] {
				holders[l] = append(holders[l], i)
			}
		}
		mergeEqual(p.Groups, sets)
		if crowded(holders, byClass) < 0 {
			break
		}
	}
	if l := crowded(holders, byClass); l >= 0 {
		return crowdedError(p, s, l, holders, byClass, "use fewer --clients or more --groups")
	}
	dealHolders(p, "partition/label-skew/shares", holders, byClass)
	return nil
}

// dealHolders divides the samples of each label among the clients that hold it by a Dirichlet draw of
// p.Params.Concentration, at least 1 each, from streams of the given purpose. holders (clients by label) must not be
// crowded; the order of byClass is changed.
func dealHolders(p *Partition, purpose string, holders [][]int, byClass [][]int32) {
	for l, clients := range holders {
		if len(clients) == 0 {
			continue
		}
		r := stream.New(p.Seed, purpose, uint64(l))
		indices := byClass[l]
		r.Shuffle(len(indices), func(i, j int) { indices[i], indices[j] = indices[j], indices[i] })
		parts := apportion(len(indices), normalise(logDirichlet(r, p.Params.Concentration, len(clients))), 1)
		for k, i := range clients {
			p.Shards[i].Train = append(p.Shards[i].Train, indices[:parts[k]]...)
			indices = indices[parts[k]:]
		}
	}
}

// crowdedError says that label l has fewer samples than holders, and what to do.
func crowdedError(p *Partition, s *data.Set, l int, holders [][]int, byClass [][]int32, advice string) error {
	return fmt.Errorf("--clients %d: %d clients would hold label %d of %s, which has only %d training samples; %s",
		len(p.Shards), len(holders[l]), l, s.Name, len(byClass[l]), advice)
}

// crowded returns a label that has fewer samples than holders, or -1.
func crowded(holders [][]int, byClass [][]int32) int {
	for l, clients := range holders {
		if len(clients) > len(byClass[l]) {
			return l
		}
	}
	return -1
}

// drawLabelSets draws the labels of each group, ascending, per of them each. Labels not yet taken come first; then any,
// with equal chances, or if even is set those taken least often. A set is drawn anew while an earlier group has it.
func drawLabelSets(r *rand.Rand, labels []int, groups, per int, even bool) [][]int {
	taken := make([]int, slices.Max(labels)+1)
	seen := map[string]bool{}
	exhausted := false // no set is left that no group has
	sets := make([][]int, groups)
	for g := range sets {
		var set []int
		for range 20 {
			order := slices.Clone(labels)
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			slices.SortStableFunc(order, func(a, b int) int {
				if even {
					return taken[a] - taken[b]
				}
				return min(taken[a], 1) - min(taken[b], 1)
			})
			set = order[:per]
			slices.Sort(set)
			if exhausted || !seen[fmt.Sprint(set)] {
				break
			}
		}
		if !exhausted {
			set = nextUnseen(set, labels, seen)
			exhausted = seen[fmt.Sprint(set)]
			seen[fmt.Sprint(set)] = true
		}
		for _, l := range set {
			taken[l]++
		}
		sets[g] = set
	}
	return sets
}

// nextUnseen returns set, or if it has been seen the next one in lexicographic order (cyclic) that has not; set itself
// if all have been. It looks at one set more than have been seen at most.
func nextUnseen(set, labels []int, seen map[string]bool) []int {
	n, per := len(labels), len(set)
	at := make([]int, per) // positions in labels
	for i, l := range set {
		at[i] = slices.Index(labels, l)
	}
	for range len(seen) + 1 {
		candidate := make([]int, per)
		for i, a := range at {
			candidate[i] = labels[a]
		}
		if !seen[fmt.Sprint(candidate)] {
			return candidate
		}
		i := per - 1
		for i >= 0 && at[i] == n-per+i {
			i--
		}
		if i < 0 { // the last one: start over
			for j := range at {
				at[j] = j
			}
			continue
		}
		at[i]++
		for j := i + 1; j < per; j++ {
			at[j] = at[j-1] + 1
		}
	}
	return set
}

// drawGroups lets each client join a group at random. If after some draws a group is still empty, random clients of
// groups that can spare one move to the empty ones. If even is set the groups are of equal size, within one. There are
// at least as many clients as groups.
func drawGroups(r *rand.Rand, clients, groups int, even bool) []int {
	member := make([]int, clients)
	if even {
		for k, i := range r.Perm(clients) {
			member[i] = k % groups
		}
		return member
	}
	var size []int
	for range 20 {
		size = make([]int, groups)
		for i := range member {
			member[i] = r.IntN(groups)
			size[member[i]]++
		}
		if slices.Min(size) > 0 {
			return member
		}
	}
	order := r.Perm(clients)
	next := 0
	for g := range size {
		if size[g] > 0 {
			continue
		}
		// A client passed over is the last of its group and stays so: one pass over all clients fills every group.
		for size[member[order[next]]] < 2 {
			next++
		}
		size[member[order[next]]]--
		member[order[next]] = g
		size[g]++
		next++
	}
	return member
}

// mergeEqual renames every group to the first one with the same labels, leaving no gaps in the numbering.
func mergeEqual(groups []int, sets [][]int) {
	first := map[string]int{}
	name := make([]int, len(sets))
	for g, set := range sets {
		key := fmt.Sprint(set)
		if _, ok := first[key]; !ok {
			first[key] = len(first)
		}
		name[g] = first[key]
	}
	for i, g := range groups {
		groups[i] = name[g]
	}
}
