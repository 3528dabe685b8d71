package partition

import (
	"fmt"
	"io"
	"slices"

	"feddag/federation/data"
	"feddag/internal/damage"
	"feddag/internal/indexmap"
)

// The index maps of other programs are FL-bench's partition.pkl, and a list of indices for each client, such as those of
// flwr-datasets. See package indexmap.
func init() {
	registerFormat(fileFormat{name: "index map", is: indexmap.Is, decode: decodeIndexMap})
}

func decodeIndexMap(r io.ReaderAt, size int64, s *data.Set) (*Partition, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if size > maxFileBytes {
		return nil, fmt.Errorf("it has %d bytes, but a partition has at most %d", size, maxFileBytes)
	}
	b, err := damage.Read(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return nil, err
	}
	m, err := indexmap.Read(b)
	if err != nil {
		return nil, err
	}
	p := &Partition{Kind: importedKind, DataSet: s.Name}
	p.Params.Kind = p.Kind
	tested := slices.IndexFunc(m.Clients, func(c indexmap.Client) bool { return len(c.Test) > 0 })
	for _, c := range m.Clients {
		if tested >= 0 && c.Test != nil && len(c.Test) == 0 {
			return nil, fmt.Errorf("the list of test images of client %q is empty, but client %q has test images; without such a list, a client is tested on all test images of its classes", c.Name, m.Clients[tested].Name)
		}
		if len(c.Val) > 0 {
			return nil, fmt.Errorf("client %q has %d validation images, but a client has only training and test images: %s", c.Name, len(c.Val), asSet(s))
		}
		sh := Shard{Train: slices.Clone(c.Train), Test: slices.Clone(c.Test)}
		if m.Pooled {
			if sh.Test, err = testIndices(c, s); err != nil {
				return nil, err
			}
		}
		slices.Sort(sh.Train)
		slices.Sort(sh.Test)
		p.Shards = append(p.Shards, sh)
	}
	if err := p.completeTests(s); err != nil {
		return nil, err
	}
	return p, p.Check(s)
}

// testIndices returns the test indices of a client of a map that numbers training and test images together. It returns an
// error if an image is in the other split of s.
func testIndices(c indexmap.Client, s *data.Set) ([]int32, error) {
	n := int32(s.Train.Len())
	for _, i := range c.Train {
		if i >= n {
			return nil, fmt.Errorf("client %q: its training index %d is not among the %d training images of data set %s, because FL-bench counts test images too: %s", c.Name, i, n, s.Name, asSet(s))
		}
	}
	var test []int32
	for _, i := range c.Test {
		if i < n {
			return nil, fmt.Errorf("client %q: its test index %d is a training image of data set %s, because FL-bench divides both splits again: %s", c.Name, i, s.Name, asSet(s))
		}
		test = append(test, i-n)
	}
	return test, nil
}

// asSet returns a text that says how to use a map as a data set.
func asSet(s *data.Set) string {
	return fmt.Sprintf("use --dataset flbench:FILE --dataset-option set=%s --partition natural", s.Name)
}
