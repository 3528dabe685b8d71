package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/federation/stream"
)

// labelSet is a set of 1x1x1 images whose labels are all that matters: train[c] and test[c] images of class c, in a
// shuffled order that does not depend on the machine.
func labelSet(train, test []int) *Set {
	s := &Set{
		Name: "labels", Channels: 1, Height: 1, Width: 1, Classes: len(train),
		Mean: []float32{0.5}, Std: []float32{0.5},
	}
	for i, split := range []*Images{&s.Train, &s.Test} {
		for c, n := range [][]int{train, test}[i] {
			split.Labels = append(split.Labels, bytes.Repeat([]byte{byte(c)}, n)...)
		}
		l := split.Labels
		stream.New(1, "test/labels", uint64(i)).Shuffle(len(l), func(a, b int) { l[a], l[b] = l[b], l[a] })
		split.Pixels = make([]byte, len(l))
	}
	return s
}

// richSet is a labelSet that a kind of partition, whatever it needs, can deal out: classes 2k and 2k+1 are superclass
// k, and the training images come from two domains or as many users as there are images, but 10,000 at most.
func richSet(kind string, train, test []int) *Set {
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

// even is n classes of k images.
func even(n, k int) []int {
	counts := make([]int, n)
	for i := range counts {
		counts[i] = k
	}
	return counts
}

// idxBytes is an IDX file of the dimensions with the payload, whether or not they agree.
func idxBytes(magic uint32, dims []uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, payload...)
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// imagesOf is n images of 28 x 28: byte j of image i is i+j.
func imagesOf(n int) []byte {
	b := make([]byte, n*784)
	for i := range b {
		b[i] = byte(i/784 + i%784)
	}
	return b
}

// labelsOf is n labels 0, 1, ..., 9, 0, ...
func labelsOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 10)
	}
	return b
}

// tinyFiles are the four files of a set with 30 training and 20 test images.
func tinyFiles() map[string][]byte {
	return map[string][]byte{
		idxFiles[0]: idxBytes(0x803, []uint32{30, 28, 28}, imagesOf(30)),
		idxFiles[1]: idxBytes(0x801, []uint32{30}, labelsOf(30)),
		idxFiles[2]: idxBytes(0x803, []uint32{20, 28, 28}, imagesOf(20)),
		idxFiles[3]: idxBytes(0x801, []uint32{20}, labelsOf(20)),
	}
}

func write(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wantError fails unless err is one line that has all the words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("error of several lines: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

func params(kind string, change func(*PartitionOptions)) PartitionOptions {
	o := DefaultPartitionOptions()
	o.Kind = kind
	if change != nil {
		change(&o)
	}
	return o
}

func mustPartition(t testing.TB, s *Set, o PartitionOptions, seed uint64) *Partition {
	t.Helper()
	p, err := NewPartition(s, o, seed)
	if err != nil {
		t.Fatal(fmt.Errorf("%+v, seed %d: %w", o, seed, err))
	}
	return p
}
