package torch

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"feddag/internal/damage"
)

// NamedTensor is a float32 tensor of a safetensors file.
type NamedTensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// State returns the tensors of a state vector with the names of a PyTorch state_dict: primary.conv1.weight, head.bias, ...
func (n *Network) State(values []float32) []NamedTensor {
	tensors := make([]NamedTensor, len(n.params))
	for i, p := range n.params {
		tensors[i] = NamedTensor{Name: p.Name, Shape: p.Shape, Data: values[p.Range.Begin:p.Range.End]}
	}
	return tensors
}

// header is an entry of a safetensors header.
type header struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// maxHeader is the largest number of bytes of a header, the same as in the format's own reader.
const maxHeader = 100 << 20

// WriteSafetensors writes tensors as a safetensors file: 8 bytes with the length of the header, a JSON header, and the
// values. The metadata is the value of "__metadata__". Equal arguments give equal bytes.
func WriteSafetensors(w io.Writer, tensors []NamedTensor, metadata map[string]string) error {
	head := make(map[string]any, len(tensors)+1)
	if len(metadata) > 0 {
		head["__metadata__"] = metadata
	}
	offset := 0
	for _, t := range tensors {
		if _, taken := head[t.Name]; taken {
			return fmt.Errorf("writing safetensors: two tensors are named %q", t.Name)
		}
		end := offset + 4*len(t.Data)
		head[t.Name] = header{"F32", slices.Clone(t.Shape), [2]int{offset, end}}
		offset = end
	}
	text, err := json.Marshal(head) // sorts the keys
	if err != nil {
		return fmt.Errorf("writing safetensors: %w", err)
	}
	text = append(text, strings.Repeat(" ", (8-len(text)%8)%8)...)
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, t := range tensors {
		raw := make([]byte, 0, 4*len(t.Data))
		for _, v := range t.Data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// ReadSafetensors reads a file of float32 tensors and returns them in the order of their data. A truncated file, a header
// that does not fit the data, and another element type are errors.
func ReadSafetensors(r io.Reader) ([]NamedTensor, map[string]string, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); damage.Ended(err) {
		return nil, nil, errors.New("reading safetensors: the file ends within its first 8 bytes")
	} else if err != nil {
		return nil, nil, fmt.Errorf("reading safetensors: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, nil, fmt.Errorf("reading safetensors: the header has %d bytes; the file is damaged or of another kind", n)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, nil, fmt.Errorf("reading safetensors: %w", err)
	}
	if len(text) != int(n) {
		return nil, nil, fmt.Errorf("reading safetensors: the file ends within its header")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, nil, fmt.Errorf("reading safetensors: the header: %w", err)
	}
	var metadata map[string]string
	if m, ok := raw["__metadata__"]; ok {
		if err := json.Unmarshal(m, &metadata); err != nil {
			return nil, nil, fmt.Errorf("reading safetensors: the metadata: %w", err)
		}
		delete(raw, "__metadata__")
	}
	heads := make(map[string]header, len(raw))
	names := make([]string, 0, len(raw))
	for name, m := range raw {
		var h header
		if err := json.Unmarshal(m, &h); err != nil {
			return nil, nil, fmt.Errorf("reading safetensors: tensor %q: %w", name, err)
		}
		heads[name] = h
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if c := heads[a].Offsets[0] - heads[b].Offsets[0]; c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("reading safetensors: %w", err)
	}
	tensors := make([]NamedTensor, 0, len(names))
	end := 0
	for _, name := range names {
		h := heads[name]
		if h.DType != "F32" {
			return nil, nil, fmt.Errorf("reading safetensors: tensor %q is %s, want F32", name, h.DType)
		}
		size := 4
		for _, s := range h.Shape {
			if s < 0 || s > 0 && size > math.MaxInt/s {
				return nil, nil, fmt.Errorf("reading safetensors: tensor %q has shape %v", name, h.Shape)
			}
			size *= s
		}
		if h.Offsets[0] != end || h.Offsets[1]-h.Offsets[0] != size {
			return nil, nil, fmt.Errorf("reading safetensors: tensor %q with the shape %v has the wrong place %v", name, h.Shape, h.Offsets)
		}
		end = h.Offsets[1]
		if end > len(data) {
			return nil, nil, fmt.Errorf("reading safetensors: the file ends within tensor %q", name)
		}
		values := make([]float32, size/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[h.Offsets[0]+4*i:]))
		}
		tensors = append(tensors, NamedTensor{Name: name, Shape: h.Shape, Data: values})
	}
	if end != len(data) {
		return nil, nil, fmt.Errorf("reading safetensors: %d bytes follow the last tensor", len(data)-end)
	}
	return tensors, metadata, nil
}
