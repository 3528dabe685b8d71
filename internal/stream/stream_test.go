package stream

import "testing"

func TestEqualKeysGiveEqualStreams(t *testing.T) {
	a, b := New(1, "shuffle", 2, 3), New(1, "shuffle", 2, 3)
	for range 100 {
		if x, y := a.Uint64(), b.Uint64(); x != y {
			t.Fatalf("equal keys gave %d and %d", x, y)
		}
	}
}

func TestDifferentKeysGiveDifferentStreams(t *testing.T) {
	seen := map[uint64]string{}
	for name, draw := range map[string]uint64{
		"base":            New(1, "shuffle", 2, 3).Uint64(),
		"other seed":      New(2, "shuffle", 2, 3).Uint64(),
		"other purpose":   New(1, "sample", 2, 3).Uint64(),
		"keys swapped":    New(1, "shuffle", 3, 2).Uint64(),
		"one key less":    New(1, "shuffle", 2).Uint64(),
		"one key more":    New(1, "shuffle", 2, 3, 0).Uint64(),
		"purpose split":   New(1, "shuff", 2, 3).Uint64(),
		"key not purpose": New(1, "", 2, 3).Uint64(),
	} {
		if other, taken := seen[draw]; taken {
			t.Errorf("%q and %q start alike", name, other)
		}
		seen[draw] = name
	}
}
