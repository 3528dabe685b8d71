package partition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"feddag/federation/corruption"
	"feddag/federation/data"
	"feddag/internal/npy"
	"feddag/internal/spelling"
)

func init() {
	registerFormat(fileFormat{
		name:   "npz",
		is:     func(head []byte) bool { return bytes.HasPrefix(head, []byte("PK")) },
		decode: DecodeNPZ,
	})
}

// npzMeta is the array meta of a partition in .npz: JSON as bytes.
type npzMeta struct {
	Version  int               `json:"version"`
	Kind     string            `json:"kind"`
	Seed     uint64            `json:"seed"`
	Params   Options           `json:"params"`
	DataSet  string            `json:"data_set"`
	DataHash string            `json:"data_hash,omitempty"`
	Views    []corruption.View `json:"views,omitempty"`
}

// WriteNPZ writes the partition as NumPy arrays in an .npz (a zip archive without compression), for N clients, C classes and
// T distinct test sets:
//
//	train          int32         training indices, client after client
//	train_offsets  int64, N+1    client i has train[train_offsets[i]:train_offsets[i+1]]
//	test           int32         test indices, test set after test set
//	test_offsets   int64, T+1
//	test_set       int64, N      the index of each client's test set
//	label_map      uint8, N x C  the label of each class (absent if no client has a label map)
//	group          int64, N      the true group (absent if the kind has none)
//	view           int64, N      0, or the index of the client's view plus 1 (absent if there are no views)
//	held_out       bool, N       whether the client is held out (absent if no client is held out)
//	meta           uint8         JSON: version, kind, seed, params, data_set, data_hash, views
//
// Equal partitions give equal bytes. Read reads the file. An .npz that another program wrote needs only train and
// train_offsets.
func (p *Partition) WriteNPZ(w io.Writer) error {
	n := len(p.Shards)
	if p.Groups != nil && len(p.Groups) != n {
		return fmt.Errorf("partition: %d group entries for %d clients", len(p.Groups), n)
	}
	file := npy.NewZip(w)
	var err error // the first error
	put := func(name string, data any, shape ...int) {
		if err == nil {
			err = file.Add(name, &npy.Array{Shape: shape, Data: data})
		}
	}
	putLists := func(name string, lists [][]int32) {
		flat := slices.Concat(lists...)
		offsets := make([]int64, 1, len(lists)+1)
		for _, list := range lists {
			offsets = append(offsets, offsets[len(offsets)-1]+int64(len(list)))
		}
		put(name, flat, len(flat))
		put(name+"_offsets", offsets, len(offsets))
	}
	trains := make([][]int32, n)
	test, views, mapped := make([]int64, n), make([]int64, n), false
	sets, place := p.distinctTestSets()
	for i, sh := range p.Shards {
		trains[i], test[i], views[i] = sh.Train, int64(place[i]), int64(sh.View)
		mapped = mapped || sh.LabelMap != nil
	}
	putLists("train", trains)
	putLists("test", sets)
	put("test_set", test, n)
	if mapped {
		classes := 0
		for _, sh := range p.Shards {
			classes = max(classes, len(sh.LabelMap))
		}
		flat := make([]byte, 0, n*classes)
		for _, sh := range p.Shards {
			for c := range classes {
				flat = append(flat, sh.Label(uint8(c)))
			}
		}
		put("label_map", flat, n, classes)
	}
	if p.Groups != nil {
		groups := make([]int64, n)
		for i, g := range p.Groups {
			groups[i] = int64(g)
		}
		put("group", groups, n)
	}
	if len(p.Views) > 0 {
		put("view", views, n)
	}
	if len(p.HeldOut) > 0 {
		held := make([]bool, n)
		for _, i := range p.HeldOut {
			if i < 0 || i >= n {
				return fmt.Errorf("partition: held-out client %d of %d", i, n)
			}
			held[i] = true
		}
		put("held_out", held, n)
	}
	meta, jsonErr := json.Marshal(npzMeta{formatVersion, p.Kind, p.Seed, p.Params, p.DataSet, p.DataHash, p.Views})
	if jsonErr != nil {
		return fmt.Errorf("partition: %w", jsonErr)
	}
	put("meta", meta, len(meta))
	if err != nil {
		return err
	}
	return file.Close()
}

// importedKind is the kind of a partition from another program that has no kind.
const importedKind = "imported"

// maxTestIndices bounds the test indices of all test sets in an .npz: a quarter of a gigabyte.
const maxTestIndices = 1 << 26

// DecodeNPZ reads a partition of data set s from an .npz of size bytes (see WriteNPZ). Its errors do not name a file.
func DecodeNPZ(r io.ReaderAt, size int64, s *data.Set) (*Partition, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	// most is the largest number of elements that each array can have.
	n := s.Train.Len()
	most := map[string]int{
		"train": n, "train_offsets": n + 1, "test": maxTestIndices, "test_offsets": n + 1, "test_set": n,
		"label_map": n * s.Classes, "group": n, "view": n, "held_out": n, "meta": 1 << 20,
	}
	arrays, err := npy.ReadZip(r, size, func(name string) (int, error) {
		if _, known := most[name]; !known {
			return 0, spelling.Unknown("array of a partition", name, slices.Sorted(maps.Keys(most)))
		}
		return most[name], nil
	})
	if err != nil {
		return nil, err
	}
	return npzPartition(arrays, s)
}

// npzPartition returns the partition of the arrays of an .npz.
func npzPartition(arrays map[string]*npy.Array, s *data.Set) (*Partition, error) {
	for _, name := range []string{"train", "train_offsets"} {
		if arrays[name] == nil {
			return nil, fmt.Errorf("not a partition: it lacks the array %s", name)
		}
	}
	p := &Partition{Kind: importedKind, DataSet: s.Name}
	p.Params.Kind = p.Kind
	if a := arrays["meta"]; a != nil {
		text, ok := a.Data.([]uint8)
		if !ok {
			return nil, errors.New("meta.npy: it must be JSON as an array of uint8")
		}
		var m npzMeta
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("meta.npy: %w", jsonError(err, false))
		}
		if m.Version != formatVersion {
			return nil, fmt.Errorf("meta.npy: the partition has format version %d, but this program reads version %d", m.Version, formatVersion)
		}
		p.Kind, p.Seed, p.Params, p.DataSet, p.DataHash, p.Views = m.Kind, m.Seed, m.Params, m.DataSet, m.DataHash, m.Views
	}
	trains, err := npzLists(arrays, "train")
	if err != nil {
		return nil, err
	}
	n := len(trains)
	// perClient returns an array of one whole number per client, or nil if the array is absent.
	perClient := func(name string, hi int) ([]int, error) {
		a := arrays[name]
		if a == nil {
			return nil, nil
		}
		if len(a.Shape) != 1 || a.Shape[0] != n {
			return nil, fmt.Errorf("%s.npy: the shape is %v, but must be (%d,), one element for each client", name, a.Shape, n)
		}
		v, err := a.Ints(0, hi)
		if err != nil {
			return nil, fmt.Errorf("%s.npy: %w", name, err)
		}
		return v, nil
	}
	p.Shards = make([]Shard, n)
	for i := range p.Shards {
		slices.Sort(trains[i])
		p.Shards[i].Train = trains[i]
	}
	views, err := perClient("view", len(p.Views))
	if err != nil {
		return nil, err
	}
	for i, v := range views {
		p.Shards[i].View = v
	}
	groups, err := perClient("group", max(0, n-1))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		p.Groups = append(p.Groups, int(g))
	}
	held, err := perClient("held_out", 1)
	if err != nil {
		return nil, err
	}
	for i, h := range held {
		if h == 1 {
			p.HeldOut = append(p.HeldOut, i)
		}
	}
	if a := arrays["label_map"]; a != nil {
		if len(a.Shape) != 2 || a.Shape[0] != n || a.Shape[1] != s.Classes {
			return nil, fmt.Errorf("label_map.npy: the shape is %v, but must be (%d, %d), clients x classes", a.Shape, n, s.Classes)
		}
		v, err := a.Ints(0, s.Classes-1)
		if err != nil {
			return nil, fmt.Errorf("label_map.npy: %w", err)
		}
		for i := range p.Shards {
			labels, identity := make([]uint8, s.Classes), true
			for c := range labels {
				labels[c] = uint8(v[i*s.Classes+c])
				identity = identity && int(labels[c]) == c
			}
			if !identity {
				p.Shards[i].LabelMap = labels
			}
		}
	}
	if err := npzTests(p, arrays, perClient); err != nil {
		return nil, err
	}
	if err := p.completeTests(s); err != nil {
		return nil, err
	}
	return p, p.Check(s)
}

// completeTests assigns test sets to the clients of a partition that was read without test sets: the test images of the
// classes that they hold.
func (p *Partition) completeTests(s *data.Set) error {
	for i, sh := range p.Shards { // assignTests needs training indices in range
		for _, j := range sh.Train {
			if j < 0 || int(j) >= s.Train.Len() {
				return fmt.Errorf("client %d: training index %d is out of range: it must be 0 to %d", i, j, s.Train.Len()-1)
			}
		}
	}
	p.assignTests(s)
	return nil
}

// npzTests sets the test sets of the clients if the arrays have them.
func npzTests(p *Partition, arrays map[string]*npy.Array, perClient func(string, int) ([]int, error)) error {
	if arrays["test"] == nil && arrays["test_offsets"] == nil && arrays["test_set"] == nil {
		return nil
	}
	tests, err := npzLists(arrays, "test")
	if err != nil {
		return err
	}
	for _, list := range tests {
		slices.Sort(list)
	}
	place, err := perClient("test_set", len(tests)-1)
	if err != nil {
		return err
	}
	if place == nil && len(tests) != len(p.Shards) {
		return fmt.Errorf("there are %d test sets for %d clients: without the array test_set there must be one for each client", len(tests), len(p.Shards))
	}
	for i := range p.Shards {
		k := i
		if place != nil {
			k = place[i]
		}
		p.Shards[i].Test = tests[k]
	}
	return nil
}

// npzLists returns the lists of indices in an array and its array of offsets.
func npzLists(arrays map[string]*npy.Array, name string) ([][]int32, error) {
	flat, ends := arrays[name], arrays[name+"_offsets"]
	if flat == nil || ends == nil {
		return nil, fmt.Errorf("not a partition: it must have both arrays %s and %s_offsets", name, name)
	}
	v, err := flat.Ints(0, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("%s.npy: %w", name, err)
	}
	offsets, err := ends.Ints(0, len(v))
	if err != nil {
		return nil, fmt.Errorf("%s_offsets.npy: %w", name, err)
	}
	if len(offsets) < 2 || offsets[0] != 0 || !slices.IsSorted(offsets) || offsets[len(offsets)-1] != len(v) {
		return nil, fmt.Errorf("%s_offsets.npy: it must ascend from 0 to the %d elements of %s.npy", name, len(v), name)
	}
	lists := make([][]int32, len(offsets)-1)
	for i := range lists {
		for _, x := range v[offsets[i]:offsets[i+1]] {
			lists[i] = append(lists[i], int32(x))
		}
	}
	return lists, nil
}
