package torch_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"feddag/torch"
)

var sample = []torch.NamedTensor{
	{Name: "primary.conv1.weight", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}},
	{Name: "head.bias", Shape: []int{1}, Data: []float32{-0.5}},
	{Name: "empty", Shape: []int{0}, Data: []float32{}},
}

func written(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := torch.WriteSafetensors(&b, sample, map[string]string{"round": "3"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSafetensorsRoundTrip(t *testing.T) {
	raw := written(t)
	if !bytes.Equal(raw, written(t)) {
		t.Error("the same tensors gave other bytes")
	}
	tensors, metadata, err := torch.ReadSafetensors(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]torch.NamedTensor{}
	for _, x := range tensors {
		byName[x.Name] = x
	}
	for _, want := range sample {
		if !reflect.DeepEqual(byName[want.Name], want) {
			t.Errorf("%s: got %v, want %v", want.Name, byName[want.Name], want)
		}
	}
	if metadata["round"] != "3" || len(tensors) != len(sample) {
		t.Errorf("metadata %v, %d tensors", metadata, len(tensors))
	}
}

// TestSafetensorsDamaged checks that every truncation and each kind of damaged header is an error.
func TestSafetensorsDamaged(t *testing.T) {
	raw := written(t)
	for n := range raw {
		if _, _, err := torch.ReadSafetensors(bytes.NewReader(raw[:n])); err == nil {
			t.Fatalf("cut after %d of %d bytes: no error", n, len(raw))
		}
	}
	for old, replacement := range map[string]string{
		`"F32"`:                `"F16"`,
		`[2,3]`:                `[2,9]`,
		`"data_offsets":[0,24`: `"data_offsets":[4,28`,
		`[1]`:                  `[-1]`[:3],
		`{`:                    `[`,
	} {
		damaged := bytes.Replace(raw, []byte(old), []byte(replacement), 1)
		if bytes.Equal(damaged, raw) {
			t.Fatalf("%s is not in the header", old)
		}
		if _, _, err := torch.ReadSafetensors(bytes.NewReader(damaged)); err == nil {
			t.Errorf("%s -> %s: no error", old, replacement)
		}
	}
	huge := append([]byte{255, 255, 255, 255, 255, 255, 255, 127}, raw[8:]...)
	if _, _, err := torch.ReadSafetensors(bytes.NewReader(huge)); err == nil {
		t.Error("a header of 2^63 bytes: no error")
	}
	if _, _, err := torch.ReadSafetensors(bytes.NewReader(append(raw, 0))); err == nil {
		t.Error("a byte too many: no error")
	}
	twice := []torch.NamedTensor{sample[0], sample[0]}
	if err := torch.WriteSafetensors(io.Discard, twice, nil); err == nil || !strings.Contains(err.Error(), "two tensors") {
		t.Errorf("one name twice: %v", err)
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestSafetensorsDiskFull(t *testing.T) {
	for room := range len(written(t)) {
		if err := torch.WriteSafetensors(&fullDisk{room}, sample, nil); err == nil && room < 40 {
			t.Errorf("room for %d bytes: no error", room)
		}
	}
}

func FuzzReadSafetensors(f *testing.F) {
	var b bytes.Buffer
	if err := torch.WriteSafetensors(&b, sample, map[string]string{"a": "b"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _, _ = torch.ReadSafetensors(bytes.NewReader(raw)) // must neither panic nor allocate without bound
	})
}
