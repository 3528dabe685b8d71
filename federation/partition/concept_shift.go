package partition

import (
	"fmt"
	"strconv"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// The kind concept-shift (II) is any other kind of partition whose clients are divided at random into concepts, of sizes that
// differ by at most one. The concepts label the classes differently: y, C-1-y, (y+1) mod C, and with more concepts (y+2) mod
// C and so on. The label map of a client applies to its training and its test images. Groups has the concept of each client.
func init() {
	k := kind{
		name:    "concept-shift",
		help:    "another kind of partition, whose clients label the classes in different ways",
		options: map[string]string{optionConcepts: "number of ways to label the classes (default 3)"},
		layered: true,
		assign:  assignConceptShift,
	}
	k.resolve = func(s *data.Set, o Options) (Options, error) {
		resolved, err := k.resolveBase(s, o)
		if err != nil {
			return o, err
		}
		most := min(len(conceptMaps(s.Classes)), o.Clients)
		if most < 1 {
			return o, fmt.Errorf("--partition %s: data set %s has no classes to relabel", k.name, s.Name)
		}
		concepts, err := extraInt(o, optionConcepts, 1, most, min(3, most))
		setExtra(&resolved, optionConcepts, strconv.Itoa(concepts))
		return resolved, err
	}
	register(k)
}

const optionConcepts = "concepts"

// conceptMaps returns the different label maps of C classes, in this order: the identity (nil), C-1-y, (y+1) mod C,
// (y+2) mod C and so on. There are C+1 of them, or C if C-1-y equals one of the others (C below 3).
func conceptMaps(classes int) [][]uint8 {
	maps := [][]uint8{nil}
	if classes >= 2 {
		reverse := make([]uint8, classes)
		for y := range reverse {
			reverse[y] = uint8(classes - 1 - y)
		}
		maps = append(maps, reverse)
	}
	if classes >= 3 {
		for turn := 1; turn < classes; turn++ {
			m := make([]uint8, classes)
			for y := range m {
				m[y] = uint8((y + turn) % classes)
			}
			maps = append(maps, m)
		}
	}
	return maps
}

func assignConceptShift(p *Partition, s *data.Set) error {
	if err := assignBase(p, s); err != nil {
		return err
	}
	maps := conceptMaps(s.Classes)
	p.Groups = equalParts(stream.New(p.Seed, "partition/concept-shift"), len(p.Shards), p.extraOf(optionConcepts))
	for i, g := range p.Groups {
		p.Shards[i].LabelMap = maps[g]
	}
	return nil
}
