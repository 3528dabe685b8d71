package jsonscan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// value reads any value in the form that encoding/json returns.
func (s *Scanner) value() (any, error) {
	kind, err := s.Kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '{':
		object := map[string]any{}
		return object, s.Object(func(key string) (err error) {
			object[key], err = s.value()
			return err
		})
	case '[':
		list := []any{}
		err := s.List(func(i int) error {
			if i != len(list) {
				return fmt.Errorf("item %d of %d", i, len(list))
			}
			v, err := s.value()
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return s.String()
	case '0':
		return s.Number()
	}
	return map[byte]any{'t': true, 'f': false, 'n': nil}[kind], s.Skip()
}

const sample = `{"a": [1, -2.5e3, 0.5,1,1], "b\u00e4\"\\": {"c": [], "d": {}}, "e": [true,false , null, "x\n"] }`

func TestScanner(t *testing.T) {
	s := New(strings.NewReader(sample + " \n"))
	got, err := s.value()
	if err == nil {
		err = s.End()
	}
	var want any
	if jsonErr := json.Unmarshal([]byte(sample), &want); err != nil || jsonErr != nil {
		t.Fatal(err, jsonErr)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	s = New(strings.NewReader(sample))
	var keys []string
	sum := 0.0
	err = s.Object(func(key string) error {
		keys = append(keys, key)
		if key != "a" {
			return s.Skip()
		}
		return s.List(func(int) error {
			v, err := s.Number()
			sum += v
			return err
		})
	})
	if err != nil || s.End() != nil || sum != -2496.5 || fmt.Sprint(keys) != `[a bä"\ e]` {
		t.Errorf("%v, keys %v, sum %v", err, keys, sum)
	}
}

func TestBadJSON(t *testing.T) {
	for text, words := range map[string]string{
		"": "truncated", "{": "truncated", `{"a`: "truncated", `{"a": [1`: "truncated", `[1 2]`: "byte 4: '2', must be a comma", `[1,]`: "byte 4: ']' does not begin a value",
		`{"a" 1}`: "must be a colon", `{1: 2}`: "a number, must be a string", `[NaN]`: "byte 2: 'N' does not begin a value", `[1.2.3]`: `"1.2.3" is not a number`,
		`["a` + "\n" + `"]`: "not a JSON string", `[1e999]`: `"1e999" is not a number`, `[nul]`: "'n' does not begin a value", strings.Repeat("[", 100): "more than 64 lists",
		`[` + strings.Repeat("1", 100): "a number of more than 64 bytes", `1 2`: "more follows", `["\x"]`: "not a JSON string", `[-]`: `"-" is not a number`,
	} {
		s := New(strings.NewReader(text))
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		errtest.Want(t, err, words)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range []string{sample, "[1,2]", "{", `[[[["a"]]]]`, "[1e9,-0.0]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := New(strings.NewReader(string(b)))
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+1000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("error of several lines: %q", err)
		}
		// Everything that encoding/json accepts is accepted, within the bounds for numbers and depth.
		if err != nil && json.Valid(b) && !strings.Contains(err.Error(), "more than") && !strings.Contains(err.Error(), "is not a number") {
			t.Errorf("%q: %v", b, err)
		}
	})
}
