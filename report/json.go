package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// Float is a number that may be missing. NaN and the infinities, which JSON does not have, are written as null. Every field
// of a JSON file that may hold such a value has this type, because a diverged loss must not make the report fail.
type Float float64

// MarshalJSON writes null for a number that is not finite.
func (f Float) MarshalJSON() ([]byte, error) {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON reads null as NaN.
func (f *Float) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*f = Float(math.NaN())
		return nil
	}
	return json.Unmarshal(raw, (*float64)(f))
}

// Floats converts values to numbers that may be missing. It returns nil for nil.
func Floats(values []float64) []Float {
	if values == nil {
		return nil
	}
	floats := make([]Float, len(values))
	for i, v := range values {
		floats[i] = Float(v)
	}
	return floats
}

// WriteJSON writes v as indented JSON. Lists of plain values are written on one line.
func (d *Dir) WriteJSON(name string, v any) error {
	text, err := formatJSON(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(name), err)
	}
	return d.writeBytes(name, text)
}

// formatJSON returns the content of a JSON file.
func formatJSON(v any) ([]byte, error) {
	raw, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(indent(raw), '\n'), nil
}

// ReadJSON reads the file name into v.
func (d *Dir) ReadJSON(name string, v any) error {
	raw, err := d.read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("reading %s: %w", d.Path(name), err)
	}
	return nil
}

// Marshal returns v as JSON on one line. Unlike json.Marshal, it does not escape <, > and &.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// indent breaks compact JSON into lines, with two spaces per level. It leaves a list of plain values on one line, because a
// partition has thousands of indices.
func indent(raw []byte) []byte {
	var out []byte
	level := 0
	newline := func() {
		out = append(out, '\n')
		for range level {
			out = append(out, ' ', ' ')
		}
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '"':
			n := quoted(raw[i:])
			out = append(out, raw[i:i+n]...)
			i += n - 1
		case '[', '{':
			if n := flat(raw[i:]); n > 0 {
				out = append(out, bytes.ReplaceAll(raw[i:i+n], []byte(","), []byte(", "))...)
				i += n - 1
				continue
			}
			out = append(out, c)
			level++
			newline()
		case ']', '}':
			level--
			newline()
			out = append(out, c)
		case ',':
			out = append(out, c)
			newline()
		case ':':
			out = append(out, c, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// quoted returns the length of the JSON string at the start of raw.
func quoted(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// flat returns the length of the list at the start of raw if it contains no lists, objects or strings, or the length of an
// empty object. Otherwise it returns 0.
func flat(raw []byte) int {
	if bytes.HasPrefix(raw, []byte("{}")) {
		return 2
	}
	if raw[0] != '[' {
		return 0
	}
	i := bytes.IndexAny(raw[1:], "]{[\"") + 1
	if i == 0 || raw[i] != ']' {
		return 0
	}
	return i + 1
}
