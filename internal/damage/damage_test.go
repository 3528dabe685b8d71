package damage

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{io.ErrUnexpectedEOF, "truncated: ends too soon; fetch it again"},
		{gzip.ErrChecksum, "damaged: the gzip checksum does not match; fetch it again"},
		{errors.New("odd"), "damaged: odd; fetch it again"},
		{&os.PathError{Op: "read", Path: "/disk/file", Err: errors.New("input/output error")}, "input/output error"},
	} {
		if got := Describe(c.err).Error(); got != c.want {
			t.Errorf("%v became %q, want %q", c.err, got, c.want)
		}
	}
}

func TestRead(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	got, err := Read(iotest.HalfReader(bytes.NewReader(data)), int64(len(data)))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes of %d, %v", len(got), len(data), err)
	}
	if _, err := Read(iotest.ErrReader(errors.New("odd")), 1); err == nil || err.Error() != "damaged: odd; fetch it again" {
		t.Errorf("a reader that fails: %v", err)
	}
	// A length that the file does not have is not allocated.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Read(strings.NewReader("abc"), 1<<40)
	runtime.ReadMemStats(&after)
	if err == nil || err.Error() != "truncated: 3 of 1099511627776 bytes are there; fetch it again" {
		t.Errorf("a length beyond the end: %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("three bytes made it allocate %d", n)
	}
}
