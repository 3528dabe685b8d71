package report

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// crc32c computes the checksum bit by bit, independently of hash/crc32.
func crc32c(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78&-(crc&1)
		}
	}
	return ^crc
}

func unmask(m uint32) uint32 {
	r := m - 0xa282ead8
	return r>>17 | r<<15
}

// records splits a TFRecord file, checking every checksum.
func records(t *testing.T, raw []byte) [][]byte {
	t.Helper()
	var list [][]byte
	for len(raw) > 0 {
		if len(raw) < 16 {
			t.Fatalf("%d bytes left over", len(raw))
		}
		n := binary.LittleEndian.Uint64(raw)
		if unmask(binary.LittleEndian.Uint32(raw[8:])) != crc32c(raw[:8]) {
			t.Fatal("bad checksum of the length")
		}
		data := raw[12 : 12+n]
		if unmask(binary.LittleEndian.Uint32(raw[12+n:])) != crc32c(data) {
			t.Fatal("bad checksum of the data")
		}
		list = append(list, data)
		raw = raw[16+n:]
	}
	return list
}

// message is a decoded protocol buffer: the last value of each field, numbers
// as their bits, the rest as bytes.
type message map[uint64]any

func decode(t *testing.T, b []byte) message {
	t.Helper()
	m := message{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		b = b[n:]
		switch key & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			m[key>>3], b = v, b[n:]
		case 1:
			m[key>>3], b = binary.LittleEndian.Uint64(b), b[8:]
		case 2:
			size, n := binary.Uvarint(b)
			m[key>>3], b = b[n:n+int(size)], b[n+int(size):]
		case 5:
			m[key>>3], b = binary.LittleEndian.Uint32(b), b[4:]
		default:
			t.Fatalf("wire type %d", key&7)
		}
	}
	return m
}

func TestEvents(t *testing.T) {
	if crc32c([]byte("123456789")) != 0xe3069283 {
		t.Fatal("the test's own checksum is wrong")
	}
	dir := t.TempDir()
	if d := os.Getenv("FEDDAG_TEST_PLOTS"); d != "" {
		dir = filepath.Join(d, "events")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	e, err := NewEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	for step, v := range []float64{0.5, 93.25, math.NaN(), math.Inf(1)} {
		if err := e.Scalar("accuracy/ünï", int64(step*1000), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range someRounds(8) {
		if err := e.Round(r); err != nil {
			t.Fatal(err)
		}
	}
	// Flushed data are in the file before Close.
	first := e.path
	before, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	list := records(t, before)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if m := decode(t, list[0]); string(m[3].([]byte)) != "brain.Event:2" || math.Float64frombits(m[1].(uint64)) < 1.6e9 {
		t.Errorf("first event %v", m)
	}
	var got []string
	for _, r := range list[1:5] {
		m := decode(t, r)
		v := decode(t, decode(t, m[5].([]byte))[1].([]byte))
		got = append(got, fmt.Sprint(m[2], " ", string(v[1].([]byte)), " ", math.Float32frombits(v[2].(uint32))))
	}
	if expected := []string{"0 accuracy/ünï 0.5", "1000 accuracy/ünï 93.25", "2000 accuracy/ünï NaN", "3000 accuracy/ünï +Inf"}; !slices.Equal(got, expected) {
		t.Errorf("got %q", got)
	}
	if n := len(list); n != 1+4+8*10-1 { // one loss was not a number
		t.Errorf("%d events", n)
	}

	// A resumed run opens another file, whose name comes later in the order.
	e, err = NewEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(e.path) <= filepath.Base(first) {
		t.Errorf("%s does not come after %s", e.path, first)
	}
	if err := e.Resume(6); err != nil {
		t.Fatal(err)
	}
	if err := e.Scalar("loss/train", 6, 77); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, records(t, raw)[1])
	if log := decode(t, m[7].([]byte)); log[1] != uint64(1) || m[2] != uint64(6) {
		t.Errorf("resume event %v", m)
	}
	if err := e.Scalar("x", 0, 0); err == nil {
		err = e.Flush()
		if err == nil {
			t.Error("writing after Close: no error")
		} else if !strings.Contains(err.Error(), "tfevents") {
			t.Errorf("error %q names no file", err)
		}
	}
	_, err = NewEvents(filepath.Join(dir, "gone"))
	want(t, err, "gone")
}
