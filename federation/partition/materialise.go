package partition

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/corruption"
	"feddag/federation/data"
	"feddag/internal/parallel"
	"feddag/internal/stream"
)

// maxMaterialised bounds the bytes of test pixels of a set with views. It is 12 GB, which is more than CIFAR-10 under all
// corruptions with all severities.
const maxMaterialised = 12 << 30

// Materialise returns a set with the images as the clients see them, and the partition of this set. They are s and p
// themselves if there are no views. Otherwise training image i of the set is image i of s in the view of its client, and the
// test split is s.Test followed by s.Test in each of p.Views. The partition has the clients of p, with matching test indices
// and no views. The labels are those of s. Neither s nor p is changed; memory is shared where possible. The noise in an image
// depends on the seed of the partition, the view and the index of the image, never on the number of cores.
//
// Use the result for training. Use s to write, read and check p.
func (p *Partition) Materialise(s *data.Set) (*data.Set, *Partition, error) {
	if err := p.Check(s); err != nil {
		return nil, nil, err
	}
	if len(p.Views) == 0 {
		return s, p, nil
	}
	if err := fitsViews(s, len(p.Views)); err != nil {
		return nil, nil, err
	}
	blocks := len(p.Views) + 1
	train, test := s.Train, data.Images{
		Pixels: slices.Repeat(s.Test.Pixels, blocks), Labels: slices.Repeat(s.Test.Labels, blocks),
	}
	train.Pixels = slices.Clone(s.Train.Pixels)
	if s.Test.Users != nil {
		test.Users = slices.Repeat(s.Test.Users, blocks)
	}
	m := s.WithImages(train, test)
	view := make([]int, s.Train.Len())
	for _, sh := range p.Shards {
		for _, j := range sh.Train {
			view[j] = sh.View
		}
	}
	parallel.For(len(view), func(j int) {
		if view[j] > 0 {
			p.corrupt(p.Views[view[j]-1], trainSplit, j, s, s.Image(s.Train, j), m.Image(m.Train, j))
		}
	})
	parallel.For(len(p.Views)*s.Test.Len(), func(k int) {
		v, i := k/s.Test.Len(), k%s.Test.Len()
		p.corrupt(p.Views[v], testSplit, i, s, s.Image(s.Test, i), m.Image(m.Test, s.Test.Len()+k))
	})
	return m, p.shifted(m, s.Test.Len()), nil
}

const trainSplit, testSplit = 0, 1

// corrupt writes the view v of image i of a split, which is in from, to to.
func (p *Partition) corrupt(v corruption.View, split, i int, s *data.Set, from, to []byte) {
	r := stream.New(p.Seed, "partition/corruption/"+v.Corruption, uint64(v.Severity), uint64(split), uint64(i))
	v.Apply(to, from, s.Channels, s.Height, s.Width, r)
}

// fitsViews returns an error if the test images of s, unchanged and in each of the views, take too much memory.
func fitsViews(s *data.Set, views int) error {
	size, n, blocks := int64(s.ImageSize()), int64(s.Test.Len()), int64(views)+1
	if n > math.MaxInt32/blocks || n*size > maxMaterialised/blocks {
		return fmt.Errorf("data set %s: its %d test images in %d views take more than the %d MB that this program can hold; use fewer corruptions",
			s.Name, n, views, int64(maxMaterialised)>>20)
	}
	return nil
}

// shifted returns the partition of a materialised set m, in which test index j in view v is v*n + j.
func (p *Partition) shifted(m *data.Set, n int) *Partition {
	q := *p
	// The hash of gigabytes of changed images would take seconds, and it is not needed.
	q.DataSet, q.DataHash, q.Views, q.Shards = m.Name, "", nil, slices.Clone(p.Shards)
	type key struct {
		first     *int32
		len, view int
	}
	shared := map[key][]int32{}
	for i := range q.Shards {
		sh := &q.Shards[i]
		if sh.View == 0 {
			continue
		}
		k := key{&sh.Test[0], len(sh.Test), sh.View}
		if shared[k] == nil {
			shared[k] = slices.Clone(sh.Test)
			for t := range shared[k] {
				shared[k][t] += int32(sh.View * n)
			}
		}
		sh.Test, sh.View = shared[k], 0
	}
	return &q
}
