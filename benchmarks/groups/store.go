package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"feddag/federation/data"
	"feddag/internal/parallel"
	"feddag/similarity/groups"
)

// store keeps the features of a set's training images in files that are mapped into memory: one file for the original images,
// and one per federation with corruptions, because noise depends on the seed of the partition.
type store struct {
	dir       string
	set       *data.Set
	extractor *groups.Extractor
	deviation []float64 // standard deviation of each feature over the original images

	mu    sync.Mutex
	files map[string]*table
}

// newStore loads a set and the features of its images.
func newStore(ctx context.Context, name, dir string, dirs []string) (*store, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("--cache %s: %w", dir, err)
	}
	set, err := data.Load(ctx, name, data.LoadOptions{Dirs: dirs, Cache: dir})
	if err != nil {
		return nil, err
	}
	e, err := groups.NewExtractor(set.Channels, set.Height, set.Width)
	if err != nil {
		return nil, err
	}
	s := &store{dir: dir, set: set, extractor: e, files: map[string]*table{}}
	t, err := s.open("clean")
	if err != nil {
		return nil, err
	}
	var all []int32
	for j := range set.Train.Len() {
		all = append(all, int32(j))
	}
	err = t.fill(all, e, func(j int32) []byte { return set.Image(set.Train, int(j)) })
	if err != nil {
		return nil, err
	}
	s.deviation = t.deviation()
	return s, nil
}

// features returns the features of the clients' images, as the clients see them. The caller must call unlock when it has read
// them.
func (s *store) features(c cell, x *federation) (t *table, unlock func(), err error) {
	p := x.partition
	if len(p.Views) == 0 {
		t, err := s.open("clean")
		return t, func() {}, err
	}
	params := p.Params
	params.TrainShare = 0 // the share does not change how the remaining images look
	text, err := json.Marshal(params)
	if err != nil {
		return nil, nil, err
	}
	t, err = s.open(fmt.Sprintf("%s-%d-%d-%x", c.kind, c.clients, c.seed, sha256.Sum256(text))[:40])
	if err != nil {
		return nil, nil, err
	}
	holder := make([]int32, s.set.Train.Len())
	var held []int32
	for i, shard := range p.Shards {
		for _, j := range shard.Train {
			holder[j] = int32(i)
			held = append(held, j)
		}
	}
	t.mu.Lock()
	err = t.fill(held, s.extractor, func(j int32) []byte { return p.TrainImage(s.set, int(holder[j]), int(j)) })
	return t, t.mu.Unlock, err
}

// table is a matrix of float32 in a file. The first number of a row is 1 if the row has been computed.
type table struct {
	mu      sync.Mutex
	numbers []float32
	columns int
}

func (t *table) row(j int) []float32 { return t.numbers[j*t.columns+1 : (j+1)*t.columns] }

// open maps a file, and makes it if it does not exist.
func (s *store) open(name string) (*table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.files[name]; t != nil {
		return t, nil
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%s.f32", s.set.Name, s.set.Hash()[:12], name))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &table{columns: 1 + s.extractor.Len()}
	size := s.set.Train.Len() * t.columns
	if err := f.Truncate(int64(4 * size)); err != nil {
		return nil, err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 4*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.numbers = unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), size)
	s.files[name] = t
	return t, nil
}

// fill computes the missing rows.
func (t *table) fill(rows []int32, e *groups.Extractor, image func(j int32) []byte) error {
	const chunk = 256
	errs := make([]error, (len(rows)+chunk-1)/chunk)
	parallel.For(len(errs), func(k int) {
		out := make([]float64, e.Len())
		for _, j := range rows[k*chunk : min(len(rows), (k+1)*chunk)] {
			if t.numbers[int(j)*t.columns] == 1 {
				continue
			}
			if errs[k] = e.Features(image(j), out); errs[k] != nil {
				return
			}
			row := t.row(int(j))
			for f, v := range out {
				row[f] = float32(v)
			}
			t.numbers[int(j)*t.columns] = 1
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// deviation returns the standard deviation of each column.
func (t *table) deviation() []float64 {
	n := len(t.numbers) / t.columns
	mean, square := make([]float64, t.columns-1), make([]float64, t.columns-1)
	for j := range n {
		for f, v := range t.row(j) {
			mean[f] += float64(v) / float64(n)
		}
	}
	for j := range n {
		for f, v := range t.row(j) {
			square[f] += (float64(v) - mean[f]) * (float64(v) - mean[f]) / float64(n)
		}
	}
	for f := range square {
		square[f] = math.Sqrt(square[f])
	}
	return square
}
