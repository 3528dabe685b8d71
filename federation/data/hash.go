package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"feddag/internal/parallel"
)

const (
	contentScheme = "content-sha256:"
	// hashChunk is the number of bytes per leaf of the content hash. It is part of the definition of the hash.
	hashChunk = 1 << 20
)

var contentForm = regexp.MustCompile(`^` + contentScheme + `[0-9a-f]{64}$`)

// Hash identifies the content of the set: its shape, its number of classes, and the pixels and labels of both splits. It is
// "content-sha256:" and 64 hexadecimal digits. It does not depend on names, users and the paths of the files. It is the
// SHA-256 of the shape and of the SHA-256 of each chunk of the splits, so all cores share the work, but the result does not
// depend on their number. Load computes it once. For other sets it is computed in every call.
func (s *Set) Hash() string {
	if s.hash != "" {
		return s.hash
	}
	var chunks [][]byte
	for _, section := range [][]byte{s.Train.Pixels, s.Train.Labels, s.Test.Pixels, s.Test.Labels} {
		chunks = slices.AppendSeq(chunks, slices.Chunk(section, hashChunk))
	}
	sums := make([][sha256.Size]byte, len(chunks))
	parallel.For(len(chunks), func(k int) { sums[k] = sha256.Sum256(chunks[k]) })
	h := sha256.New()
	h.Write(s.dimensions())
	for _, sum := range sums {
		h.Write(sum[:])
	}
	return contentScheme + hex.EncodeToString(h.Sum(nil))
}

// LabelHash identifies the labels and the shape of the set, but not its pixels ("sha256:..."). Partitions of earlier
// versions have this hash.
func (s *Set) LabelHash() string {
	h := sha256.New()
	h.Write(s.dimensions())
	h.Write(s.Train.Labels)
	h.Write(s.Test.Labels)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// dimensions returns the shape, the number of classes and the numbers of images as bytes.
func (s *Set) dimensions() []byte {
	var head []byte
	for _, v := range []int{s.Channels, s.Height, s.Width, s.Classes, s.Train.Len(), s.Test.Len()} {
		head = binary.LittleEndian.AppendUint64(head, uint64(v))
	}
	return head
}

// IsContentHash reports whether a hash is one that Set.Hash returned, and not the hash of labels alone that earlier
// versions wrote.
func IsContentHash(hash string) bool { return contentForm.MatchString(hash) }

// ShortHash returns the first twelve digits of a hash, for messages.
func ShortHash(hash string) string {
	if _, digits, ok := strings.Cut(hash, ":"); ok {
		hash = digits
	}
	return hash[:min(12, len(hash))]
}

// WithImages returns a copy of the set with other images of the same shape. The copy does not keep the hash of s.
func (s *Set) WithImages(train, test Images) *Set {
	c := *s
	c.Train, c.Test, c.hash = train, test, ""
	return &c
}
