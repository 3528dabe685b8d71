package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
)

// WriteJSON writes v as indented JSON; lists of plain values stay on one line.
// NaN and the infinities, which JSON lacks, become null: a diverged loss must
// not end the run that reports it.
func (d *Dir) WriteJSON(name string, v any) error {
	raw, err := Marshal(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(name), err)
	}
	return d.WriteFile(name, func(w io.Writer) error {
		_, err := w.Write(append(indent(raw), '\n'))
		return err
	})
}

// ReadJSON reads the file name into v.
func (d *Dir) ReadJSON(name string, v any) error {
	raw, err := os.ReadFile(d.Path(name))
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.Path(name), cause(err))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("reading %s: %w", d.Path(name), err)
	}
	return nil
}

// Marshal is v as JSON on one line, with null for NaN and the infinities.
func Marshal(v any) ([]byte, error) {
	raw, err := compact(v)
	var bad *json.UnsupportedValueError
	if errors.As(err, &bad) {
		return compact(nullable(reflect.ValueOf(v), 0))
	}
	return raw, err
}

func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// maxDepth stops nullable in a cyclic value; encoding/json then reports it.
const maxDepth = 100

var (
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// nullable copies v into values that encode as v does, but with nil for every
// float that is not finite.
func nullable(v reflect.Value, depth int) any {
	if !v.IsValid() {
		return nil
	}
	if t := v.Type(); depth > maxDepth || t.Implements(marshalerType) || t.Implements(textMarshalerType) {
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return nullable(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && (v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8) {
			return v.Interface()
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = nullable(v.Index(i), depth+1)
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		// The key type stays, so that encoding/json names and sorts the keys.
		m := reflect.MakeMapWithSize(reflect.MapOf(v.Type().Key(), reflect.TypeFor[any]()), v.Len())
		for it := v.MapRange(); it.Next(); {
			elem := reflect.New(reflect.TypeFor[any]()).Elem()
			if x := nullable(it.Value(), depth+1); x != nil {
				elem.Set(reflect.ValueOf(x))
			}
			m.SetMapIndex(it.Key(), elem)
		}
		return m.Interface()
	case reflect.Struct:
		return fields(v, depth, nil)
	}
	return v.Interface()
}

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := compact(m.key)
		if err != nil {
			return nil, err
		}
		value, err := compact(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// fields appends the exported fields of the struct v to o under their JSON
// names. Fields of an embedded struct join those of the outer one.
func fields(v reflect.Value, depth int, o object) object {
	has := func(key string) bool {
		return slices.ContainsFunc(o, func(m member) bool { return m.key == key })
	}
	var embedded []reflect.Value
	t := v.Type()
	for i := range t.NumField() {
		f, x := t.Field(i), v.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		if f.Anonymous && name == "" {
			if x.Kind() == reflect.Pointer {
				x = x.Elem()
			}
			if x.Kind() == reflect.Struct {
				embedded = append(embedded, x)
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		skip := strings.Contains(options, "omitempty") && empty(x) || strings.Contains(options, "omitzero") && x.IsZero()
		if !skip && !has(name) {
			o = append(o, member{name, nullable(x, depth+1)})
		}
	}
	for _, x := range embedded {
		o = fields(x, depth+1, o)
	}
	return o
}

// empty is what encoding/json means by omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// indent breaks compact JSON into lines, two spaces a level, but leaves a list
// of plain values on its line: a partition is thousands of indices.
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

// quoted is the length of the JSON string that raw starts with.
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

// flat is the length of the list without lists, objects and strings that raw
// starts with, or of an empty object; 0 where there is none.
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
