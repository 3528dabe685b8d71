package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
)

// tinySet returns a set of a few chunks of hashChunk bytes, with rest bytes in the last chunk of the training pixels.
func tinySet() *Set {
	s := &Set{Name: "tiny", Channels: 1, Height: 64, Width: 64, Classes: 2}
	for i, n := range []int{700, 3} {
		split := []*Images{&s.Train, &s.Test}[i]
		split.Pixels, split.Labels = make([]byte, n*s.ImageSize()), make([]byte, n)
		for k := range split.Pixels {
			split.Pixels[k] = byte(k*31>>3 + i)
		}
		for k := range n {
			split.Labels[k] = byte(k % 2)
		}
	}
	return s
}

// TestHashDefinition computes the hash in another way, because partitions and runs store it permanently.
func TestHashDefinition(t *testing.T) {
	s := tinySet()
	var all []byte
	for _, v := range []uint64{1, 64, 64, 2, 700, 3} {
		all = binary.LittleEndian.AppendUint64(all, v)
	}
	for _, section := range [][]byte{s.Train.Pixels, s.Train.Labels, s.Test.Pixels, s.Test.Labels} {
		for len(section) > 0 {
			n := min(1<<20, len(section))
			sum := sha256.Sum256(section[:n])
			all, section = append(all, sum[:]...), section[n:]
		}
	}
	sum := sha256.Sum256(all)
	if want := "content-sha256:" + hex.EncodeToString(sum[:]); s.Hash() != want {
		t.Errorf("hash %s, must be %s", s.Hash(), want)
	}
	if !IsContentHash(s.Hash()) || IsContentHash(s.LabelHash()) || IsContentHash("") {
		t.Error("IsContentHash does not distinguish the hash of the content from the hash of the labels")
	}
	if short := ShortHash(s.Hash()); len(short) != 12 || !strings.HasPrefix(s.Hash(), contentScheme+short) {
		t.Errorf("short hash %q of %s", short, s.Hash())
	}
}

func TestHashIsTheContent(t *testing.T) {
	s := tinySet()
	hash, labels := s.Hash(), s.LabelHash()
	for name, change := range map[string]func(*Set){
		"a training pixel":    func(s *Set) { s.Train.Pixels[len(s.Train.Pixels)-1]++ },
		"a test pixel":        func(s *Set) { s.Test.Pixels[0]++ },
		"a training label":    func(s *Set) { s.Train.Labels[17] ^= 1 },
		"a test label":        func(s *Set) { s.Test.Labels[2] ^= 1 },
		"the shape":           func(s *Set) { s.Height, s.Width = 32, 128 },
		"the classes":         func(s *Set) { s.Classes = 3 },
		"an image, not there": func(s *Set) { s.Test.Pixels, s.Test.Labels = s.Test.Pixels[:2*64*64], s.Test.Labels[:2] },
	} {
		c := tinySet()
		if change(c); c.Hash() == hash {
			t.Errorf("%s changes and the hash does not", name)
		}
	}
	c := tinySet()
	c.Train.Pixels[5]++
	if c.LabelHash() != labels {
		t.Error("the hash of the labels depends on the pixels")
	}
	c = tinySet()
	c.Name, c.Files, c.ClassNames, c.Mean = "other", []string{"/elsewhere"}, []string{"a", "b"}, []float32{1}
	if c.Hash() != hash {
		t.Error("the hash depends on the name or the place")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := tinySet().Hash(); one != hash {
		t.Errorf("on one core %s, on all %s", one, hash)
	}
}

// TestLoadKeepsTheHash checks that a loaded set has its hash, also from a decoded copy, and that a copy with other images has
// another hash.
func TestLoadKeepsTheHash(t *testing.T) {
	s := tinySet()
	var b bytes.Buffer
	if err := writeSet(&b, s, "test"); err != nil {
		t.Fatal(err)
	}
	again, err := readSet(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if again.hash != s.Hash() {
		t.Errorf("the decoded copy has the hash %q, must be %q", again.hash, s.Hash())
	}
	train := again.Train
	train.Pixels = bytes.Clone(train.Pixels)
	train.Pixels[0]++
	if changed := again.WithImages(train, again.Test); changed.Hash() == again.Hash() || again.Hash() != s.Hash() {
		t.Error("a set with other images keeps the hash")
	}

	dir := t.TempDir()
	write(t, dir, tinyFiles())
	loaded, err := Load(t.Context(), "mnist", LoadOptions{Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	kept := loaded.hash
	if loaded.hash = ""; kept == "" || kept != loaded.Hash() {
		t.Errorf("Load kept the hash %q, must be %q", kept, loaded.Hash())
	}
}

func BenchmarkHash(b *testing.B) {
	s := &Set{Channels: 1, Height: 28, Width: 28, Classes: 10, Train: Images{make([]byte, 60000*784), make([]byte, 60000), nil}}
	b.SetBytes(int64(len(s.Train.Pixels)))
	for b.Loop() {
		s.Hash()
	}
}
