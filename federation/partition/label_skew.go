package partition

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// The kind label-skew (I) is label skew with quantity shift. Each of G client groups gets LabelsPerGroup labels: first labels
// that no group has yet, then any labels at random. Each client joins a group at random. The samples of a label are divided
// among all clients that hold it by a Dirichlet draw, with at least one sample for each. Labels of no group are not used.
//
// Groups has the group of each client. Two groups never have the same labels as long as there are enough sets of labels. If
// there are not enough, for instance because every group has all labels, groups with the same labels count as one group.
func init() {
	register(kind{
		name:  "label-skew",
		help:  "groups of clients with few labels each, Dirichlet quantities",
		flags: []string{flagGroups, flagLabelsPerGroup, flagLabelFraction, flagConcentration},
		replaced: func(o Options) map[string]string {
			if o.LabelFraction == 0 {
				return nil
			}
			return map[string]string{flagLabelsPerGroup: "--label-fraction says how many labels a group has"}
		},
		resolve: resolveLabelSkew,
		assign:  assignLabelSkew,
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
		return o, fmt.Errorf("--groups %d: there are more groups than the %d clients; use fewer groups or more --clients", o.Groups, o.Clients)
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

// maxDraws is the largest number of draws of the groups. They are drawn again if more clients would hold a label than it has
// samples.
const maxDraws = 20

func assignLabelSkew(p *Partition, s *data.Set) error {
	byClass := classIndices(s.Train.Labels, s.Classes)
	labels := presentLabels(s)
	var holders [][]int // clients by label, ascending
	for draw := range uint64(maxDraws + 1) {
		// The last draw spreads the labels evenly over the groups, in case no random draw fits.
		sets := drawLabelSets(stream.New(p.Seed, "partition/label-skew/labels", draw), labels, p.Params.Groups,
			p.Params.LabelsPerGroup, draw == maxDraws)
		p.Groups = drawGroups(stream.New(p.Seed, "partition/label-skew/groups", draw), len(p.Shards), p.Params.Groups, false)
		holders = make([][]int, s.Classes)
		for i, g := range p.Groups {
			for _, l := range sets[g] {
				holders[l] = append(holders[l], i)
			}
		}
		mergeEqual(p.Groups, sets)
		if labelWithTooManyHolders(holders, byClass) < 0 {
			break
		}
	}
	if l := labelWithTooManyHolders(holders, byClass); l >= 0 {
		return tooManyHoldersError(p, s, l, holders, byClass, "use fewer --clients or more --groups")
	}
	divideAmongHolders(p, "partition/label-skew/shares", holders, byClass)
	return nil
}

// divideAmongHolders divides the samples of each label among the clients that hold it, with at least one sample for each, by
// a Dirichlet draw of concentration p.Params.Concentration with streams of the given purpose. holders has the clients of each
// label, which are at most as many as the label has samples (see labelWithTooManyHolders). The order of byClass changes.
func divideAmongHolders(p *Partition, purpose string, holders [][]int, byClass [][]int32) {
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

// tooManyHoldersError returns an error that says that label l has fewer samples than clients that would hold it, and what to
// do.
func tooManyHoldersError(p *Partition, s *data.Set, l int, holders [][]int, byClass [][]int32, advice string) error {
	return fmt.Errorf("--clients %d: %d clients would hold label %d of %s, which has only %d training samples; %s",
		len(p.Shards), len(holders[l]), l, s.Name, len(byClass[l]), advice)
}

// labelWithTooManyHolders returns a label that has fewer samples than clients that would hold it, or -1.
func labelWithTooManyHolders(holders [][]int, byClass [][]int32) int {
	for l, clients := range holders {
		if len(clients) > len(byClass[l]) {
			return l
		}
	}
	return -1
}

// drawLabelSets draws per labels for each group, in ascending order. It first draws labels that no group has yet. Then it
// draws any labels with equal probabilities or, if even is set, the labels that the fewest groups have. A set that an earlier
// group has is drawn again.
func drawLabelSets(r *rand.Rand, labels []int, groups, per int, even bool) [][]int {
	taken := make([]int, slices.Max(labels)+1)
	seen := map[string]bool{}
	exhausted := false // every set of labels already belongs to a group
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

// nextUnseen returns set if it has not been seen, otherwise the next set in cyclic lexicographic order that has not been seen,
// or set itself if all have been seen. It looks at no more than len(seen)+1 sets.
func nextUnseen(set, labels []int, seen map[string]bool) []int {
	n, per := len(labels), len(set)
	at := make([]int, per) // the set, as positions in labels
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
		if i < 0 { // the last set: start over
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

// drawGroups assigns each client to a group at random. If several draws all have empty groups, random clients of groups with
// two or more clients move to the empty groups. If even is set, the sizes of the groups differ by at most one. There must be
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
		// A client that is skipped is the only client of its group, so one pass over all clients fills every group.
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

// mergeEqual gives groups with the same labels the same number, and numbers the groups without gaps.
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
