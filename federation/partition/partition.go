package partition

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/corruption"
	"feddag/federation/data"
)

// Shard is the part of a data set that one client has.
type Shard struct {
	Train []int32 // indices into Set.Train, ascending; no two clients share an index
	// Test has indices into Set.Test, ascending. It must not be modified, because clients with the same test images share the
	// slice. Otherwise ten thousand clients would need gigabytes.
	Test []int32
	// LabelMap has the label that this client uses for each class of the set (concept shift), for both training and test
	// images; nil for the identity.
	LabelMap []uint8
	// View is the view in which this client sees its training and test images (feature skew): 0 for the unchanged images,
	// v > 0 for Partition.Views[v-1]. See Partition.Materialise.
	View int
}

// Label returns the label that this client uses for an image of class l.
func (sh Shard) Label(l uint8) uint8 {
	if int(l) < len(sh.LabelMap) {
		return sh.LabelMap[l]
	}
	return l
}

// Partition assigns the images of a data set to clients: client i has Shards[i].
type Partition struct {
	Kind    string  // one of Kinds, or another name for a partition of another program
	Seed    uint64  // data seed with which it was drawn
	Params  Options // options with which it was made; only fields that its kind uses are set
	DataSet string  // Set.Name
	// DataHash is Set.Hash(), so that Check rejects a set with another content. It is Set.LabelHash() in partitions of
	// earlier versions, and "" if the hash is unknown.
	DataHash string
	Shards   []Shard
	// Groups has the true group of each client, 0 to the number of groups - 1; nil if the kind has no groups.
	Groups []int
	// HeldOut has the clients, ascending, that do not take part in training or clustering; nil if there are none. They are
	// newcomers: clients that the federation has never seen.
	HeldOut []int
	// Views are the ways in which clients see their images; nil if all clients see them unchanged.
	Views []corruption.View
}

// Counts returns the number of training samples of each client and label, N x Classes, after label maps.
func (p *Partition) Counts(s *data.Set) [][]int {
	counts := make([][]int, len(p.Shards))
	flat := make([]int, len(p.Shards)*s.Classes)
	for i, sh := range p.Shards {
		counts[i] = flat[i*s.Classes : (i+1)*s.Classes : (i+1)*s.Classes]
		for _, j := range sh.Train {
			counts[i][sh.Label(s.Train.Labels[j])]++
		}
	}
	return counts
}

// Sizes returns the number of training samples of each client.
func (p *Partition) Sizes() []int {
	sizes := make([]int, len(p.Shards))
	for i, sh := range p.Shards {
		sizes[i] = len(sh.Train)
	}
	return sizes
}

// Unassigned returns the number of training samples of the set that no client has.
func (p *Partition) Unassigned(s *data.Set) int {
	n := s.Train.Len()
	for _, size := range p.Sizes() {
		n -= size
	}
	return n
}

// Check returns an error that names the client unless the partition fits the set: every client has training and test
// samples, indices are in range and ascending, no training index is used twice, and label maps and groups are
// complete.
func (p *Partition) Check(s *data.Set) error {
	if err := s.Check(); err != nil {
		return err
	}
	if err := p.checkData(s); err != nil {
		return err
	}
	if len(p.Shards) == 0 {
		return fmt.Errorf("the partition has no clients")
	}
	if p.Groups != nil && len(p.Groups) != len(p.Shards) {
		return fmt.Errorf("there are %d group entries for %d clients", len(p.Groups), len(p.Shards))
	}
	for v, view := range p.Views {
		if err := view.Check(); err != nil {
			return fmt.Errorf("view %d: %w", v+1, err)
		}
		if err := view.CheckImages(s.Channels, s.Height, s.Width); err != nil {
			return fmt.Errorf("view %d of data set %s: %w", v+1, s.Name, err)
		}
	}
	if err := p.checkHeldOut(); err != nil {
		return err
	}
	for i, g := range p.Groups {
		if g < 0 || g >= len(p.Shards) {
			return fmt.Errorf("client %d: group %d is out of range: it must be 0 to %d", i, g, len(p.Shards)-1)
		}
	}
	owner := make([]int32, s.Train.Len()) // for each training index, the number of its client plus 1, or 0 for none
	checked := map[*int32]int{}           // length of each test set that has been checked, by its first element
	for i, sh := range p.Shards {
		if len(sh.Train) == 0 {
			return fmt.Errorf("client %d has no training samples", i)
		}
		if len(sh.Test) == 0 {
			return fmt.Errorf("client %d has no test samples: the test split has no samples of the classes that it holds", i)
		}
		for _, j := range sh.Train {
			if j < 0 || int(j) >= len(owner) {
				return fmt.Errorf("client %d: training index %d is out of range: it must be 0 to %d", i, j, len(owner)-1)
			}
			if o := owner[j]; o != 0 {
				return fmt.Errorf("client %d: training index %d is used twice (also by client %d)", i, j, o-1)
			}
			owner[j] = int32(i) + 1
		}
		if !slices.IsSorted(sh.Train) {
			return fmt.Errorf("client %d: training indices must be in ascending order", i)
		}
		if n, ok := checked[&sh.Test[0]]; !ok || n != len(sh.Test) {
			checked[&sh.Test[0]] = len(sh.Test)
			for k, j := range sh.Test {
				if j < 0 || int(j) >= s.Test.Len() {
					return fmt.Errorf("client %d: test index %d is out of range: it must be 0 to %d", i, j, s.Test.Len()-1)
				}
				if k > 0 && j <= sh.Test[k-1] {
					return fmt.Errorf("client %d: test indices must be in ascending order without repeats, but %d follows %d", i, j, sh.Test[k-1])
				}
			}
		}
		if sh.View < 0 || sh.View > len(p.Views) {
			return fmt.Errorf("client %d: view %d is out of range, because there are %d views", i, sh.View, len(p.Views))
		}
		if sh.LabelMap != nil && len(sh.LabelMap) != s.Classes {
			return fmt.Errorf("client %d: its label map has %d entries, but must have %d", i, len(sh.LabelMap), s.Classes)
		}
		for class, l := range sh.LabelMap {
			if int(l) >= s.Classes {
				return fmt.Errorf("client %d: its label map maps class %d to %d, which must be below %d", i, class, l, s.Classes)
			}
		}
	}
	return nil
}

// assignTests assigns to every client without a test set all test samples of the classes that it holds (before label maps,
// which apply to both splits). Clients with equal classes share the slice.
func (p *Partition) assignTests(s *data.Set) {
	byClass := classIndices(s.Test.Labels, s.Classes)
	shared := map[[4]uint64][]int32{}
	for i := range p.Shards {
		sh := &p.Shards[i]
		if sh.Test != nil {
			continue
		}
		var held [4]uint64 // one bit per class
		for _, j := range sh.Train {
			l := s.Train.Labels[j]
			held[l/64] |= 1 << (l % 64)
		}
		test, ok := shared[held]
		if !ok {
			for c, indices := range byClass {
				if held[c/64]>>(c%64)&1 == 1 {
					test = append(test, indices...)
				}
			}
			slices.Sort(test)
			shared[held] = test
		}
		sh.Test = test
	}
}

// classIndices returns the indices of each class, in ascending order.
func classIndices(labels []uint8, classes int) [][]int32 {
	byClass := make([][]int32, classes)
	for i, l := range labels {
		byClass[l] = append(byClass[l], int32(i))
	}
	return byClass
}

// checkClients returns an error unless a set has a training sample for each client.
func checkClients(s *data.Set, clients int) error {
	if clients < 1 {
		return fmt.Errorf("--clients %d: must be at least 1", clients)
	}
	if clients > s.Train.Len() {
		return fmt.Errorf("--clients %d: data set %s has only %d training samples; use fewer clients", clients, s.Name, s.Train.Len())
	}
	return nil
}

// Concentrations beyond these bounds make no difference: one client gets all samples, or all clients get the same number.
const minConcentration, maxConcentration = 1e-6, 1e9

func checkConcentration(a float64) error {
	if math.IsNaN(a) || a < minConcentration || a > maxConcentration {
		return fmt.Errorf("--concentration %v: must be between %g and %g", a, minConcentration, maxConcentration)
	}
	return nil
}
