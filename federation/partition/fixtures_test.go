package partition

import (
	"bytes"
	"fmt"
	"testing"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// labelSet returns a set of 1x1x1 images of which only the labels matter. It has train[c] and test[c] images of class c, in a
// shuffled order that does not depend on the machine.
func labelSet(train, test []int) *data.Set {
	s := &data.Set{
		Name: "labels", Channels: 1, Height: 1, Width: 1, Classes: len(train),
		Mean: []float32{0.5}, Std: []float32{0.5},
	}
	for i, split := range []*data.Images{&s.Train, &s.Test} {
		for c, n := range [][]int{train, test}[i] {
			split.Labels = append(split.Labels, bytes.Repeat([]byte{byte(c)}, n)...)
		}
		l := split.Labels
		stream.New(1, "test/labels", uint64(i)).Shuffle(len(l), func(a, b int) { l[a], l[b] = l[b], l[a] })
		split.Pixels = make([]byte, len(l))
	}
	return s
}

// richSet returns a labelSet for every kind of partition. Classes 2k and 2k+1 are superclass k. The training images come from two
// domains or from as many users as there are images, but at most 10,000.
func richSet(kind string, train, test []int) *data.Set {
	s := labelSet(train, test)
	for c := range s.Classes {
		s.Superclass = append(s.Superclass, uint8(c/2))
		if c%2 == 0 {
			s.SuperclassNames = append(s.SuperclassNames, fmt.Sprint("super ", c/2))
		}
	}
	users := min(s.Train.Len(), 10000)
	if kind == "domains" {
		users = min(users, 2)
	}
	for u := range users {
		s.UserNames = append(s.UserNames, fmt.Sprint("user ", u))
	}
	for i := range s.Train.Len() {
		s.Train.Users = append(s.Train.Users, int32(i%users))
	}
	return s
}

// even returns the counts of n classes of k images each.
func even(n, k int) []int {
	counts := make([]int, n)
	for i := range counts {
		counts[i] = k
	}
	return counts
}

func params(kind string, change func(*Options)) Options {
	o := DefaultOptions()
	o.Kind = kind
	if change != nil {
		change(&o)
	}
	return o
}

func mustPartition(t testing.TB, s *data.Set, o Options, seed uint64) *Partition {
	t.Helper()
	p, err := New(s, o, seed)
	if err != nil {
		t.Fatal(fmt.Errorf("%+v, seed %d: %w", o, seed, err))
	}
	return p
}
