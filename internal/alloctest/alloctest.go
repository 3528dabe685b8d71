// Package alloctest checks in tests how much memory a reader of files allocates.
package alloctest

import (
	"runtime"
	"testing"
)

// Within runs read and fails the test if it allocates more than limit bytes in total. A fuzz target calls it with a small
// multiple of the size of the input, to find code that allocates whatever size a file claims.
func Within(t testing.TB, limit int, read func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(limit) {
		t.Errorf("it allocated %d bytes, which is more than %d", n, limit)
	}
}
