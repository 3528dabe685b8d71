// Package stream derives independent random streams from the seed of a run.
//
// A stream is named by a purpose and a list of keys (round, client, epoch, ...), so that every consumer draws from its own
// sequence. The number of values that one consumer draws never changes the values of another, and a resumed run does not need
// the state of a generator.
package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// New returns the stream of (seed, purpose, keys...). Equal arguments give equal sequences; different arguments give
// independent sequences.
func New(seed uint64, purpose string, keys ...uint64) *rand.Rand {
	key := make([]byte, 0, 64)
	key = binary.LittleEndian.AppendUint64(key, seed)
	key = binary.LittleEndian.AppendUint64(key, uint64(len(purpose)))
	key = append(key, purpose...)
	for _, k := range keys {
		key = binary.LittleEndian.AppendUint64(key, k)
	}
	return rand.New(rand.NewChaCha8(sha256.Sum256(key)))
}
