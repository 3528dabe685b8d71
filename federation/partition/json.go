package partition

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"feddag/federation/corruption"
	"feddag/federation/data"
)

// formatVersion is the version of the format of partition.json.
const formatVersion = 1

// maxFileBytes bounds the size of a partition file: a hundred million indices of ten bytes each.
const maxFileBytes = 1 << 30

// jsonFile is partition.json. Clients share test sets, so each test set is listed once, and a client has its index in
// test_sets.
type jsonFile struct {
	Version  *int              `json:"version"` // may be absent in a file that was written by hand
	Kind     string            `json:"kind"`
	Seed     uint64            `json:"seed"`
	Params   Options           `json:"params"`
	DataSet  string            `json:"data_set"`
	DataHash string            `json:"data_hash,omitempty"`
	Views    []corruption.View `json:"views,omitempty"`
	Clients  []jsonClient      `json:"clients"`
	TestSets [][]int32         `json:"test_sets"`
}

type jsonClient struct {
	Group    *int    `json:"group,omitempty"`     // absent if the kind has no groups
	LabelMap []int   `json:"label_map,omitempty"` // absent for the identity
	View     int     `json:"view,omitempty"`      // index in views plus 1; absent for the unchanged images
	HeldOut  bool    `json:"held_out,omitempty"`  // absent for clients that take part
	TestSet  *int    `json:"test_set,omitempty"`  // index in test_sets; absent for all test images of the client's classes
	Train    []int32 `json:"train"`
}

// WriteJSON writes the partition as partition.json, with one line per client and per test set.
func (p *Partition) WriteJSON(w io.Writer) error {
	if p.Groups != nil && len(p.Groups) != len(p.Shards) {
		return fmt.Errorf("partition: %d group entries for %d clients", len(p.Groups), len(p.Shards))
	}
	bw := bufio.NewWriterSize(w, 1<<16)
	head := []struct {
		key   string
		value any
	}{
		{"version", formatVersion}, {"kind", p.Kind}, {"seed", p.Seed}, {"params", p.Params},
		{"data_set", p.DataSet}, {"data_hash", p.DataHash},
	}
	bw.WriteString("{\n")
	for _, f := range head {
		value, err := json.Marshal(f.value)
		if err != nil {
			return fmt.Errorf("partition: %s: %w", f.key, err)
		}
		fmt.Fprintf(bw, "  %q: %s,\n", f.key, value)
	}

	if len(p.Views) > 0 {
		views, err := json.Marshal(p.Views)
		if err != nil {
			return fmt.Errorf("partition: views: %w", err)
		}
		fmt.Fprintf(bw, "  \"views\": %s,\n", views)
	}
	testSets, place := p.distinctTestSets()
	bw.WriteString(`  "clients": [`)
	for i, sh := range p.Shards {
		c := jsonClient{TestSet: &place[i], Train: sh.Train, View: sh.View, HeldOut: p.IsHeldOut(i)}
		if p.Groups != nil {
			c.Group = &p.Groups[i]
		}
		for _, l := range sh.LabelMap {
			c.LabelMap = append(c.LabelMap, int(l))
		}
		writeItem(bw, i, c)
	}
	bw.WriteString("\n  ],\n  \"test_sets\": [")
	for i, test := range testSets {
		writeItem(bw, i, test)
	}
	bw.WriteString("\n  ]\n}\n")
	return bw.Flush() // also reports an error of an earlier write
}

// distinctTestSets returns the distinct test sets, in the order of the first client of each, and the index of each client's
// test set among them.
func (p *Partition) distinctTestSets() (sets [][]int32, place []int) {
	type slice struct {
		first *int32
		n     int
	}
	seen := map[slice]int{}
	for _, sh := range p.Shards {
		key := slice{n: len(sh.Test)}
		if key.n > 0 {
			key.first = &sh.Test[0]
		}
		if _, ok := seen[key]; !ok {
			seen[key] = len(sets)
			sets = append(sets, sh.Test)
		}
		place = append(place, seen[key])
	}
	return sets, place
}

// writeItem writes item i of a JSON list on its own line.
func writeItem(bw *bufio.Writer, i int, item any) {
	if i > 0 {
		bw.WriteByte(',')
	}
	bw.WriteString("\n    ")
	line, err := json.Marshal(item)
	if err != nil { // structs of integers always marshal
		line = []byte("null")
	}
	bw.Write(line)
}

// Decode reads a partition of data set s as JSON: an object such as WriteJSON writes, or a plain list with the list of the
// training indices of each client. Only the key clients, and train in each client, are required, so that another program can
// easily write the object. Without version the format is that of this program, without data_set the set is s, and without
// test_set a client is tested on all test images of the classes that it holds. Errors do not name a file.
func Decode(r io.Reader, s *data.Set) (*Partition, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: r, N: maxFileBytes}
	buffered := bufio.NewReader(limited)
	dec := json.NewDecoder(buffered)
	dec.DisallowUnknownFields()
	var file jsonFile
	var err error
	if startsWithList(buffered) {
		var trains [][]int32
		err = dec.Decode(&trains)
		for _, train := range trains {
			file.Clients = append(file.Clients, jsonClient{Train: train})
		}
	} else {
		err = dec.Decode(&file)
	}
	if err != nil {
		return nil, jsonError(err, limited.N <= 0)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is more text after the partition, at byte %d: a file must be one JSON object or list", dec.InputOffset())
	}
	if file.Version != nil && *file.Version != formatVersion {
		return nil, fmt.Errorf("the partition has format version %d, but this program reads version %d", *file.Version, formatVersion)
	}
	if n := s.Train.Len(); len(file.Clients) > n {
		return nil, fmt.Errorf("the partition has %d clients, but data set %s has only %d training samples", len(file.Clients), s.Name, n)
	}
	if len(file.Clients) == 0 {
		return nil, errors.New(`not a partition: it has no clients; write {"clients": [{"train": [0, 1, ...]}, ...]} with the indices of the training images of each client`)
	}
	p := &Partition{
		Kind: cmp.Or(file.Kind, importedKind), Seed: file.Seed, Params: file.Params, DataSet: cmp.Or(file.DataSet, s.Name), DataHash: file.DataHash,
		Shards: make([]Shard, len(file.Clients)), Views: file.Views,
	}
	p.Params.Kind = cmp.Or(p.Params.Kind, p.Kind)
	for _, test := range file.TestSets {
		slices.Sort(test)
	}
	for i, c := range file.Clients {
		if (c.Group != nil) != (file.Clients[0].Group != nil) {
			return nil, fmt.Errorf("client %d: either all clients or none must have a group", i)
		}
		if c.Group != nil {
			p.Groups = append(p.Groups, *c.Group)
		}
		slices.Sort(c.Train)
		p.Shards[i] = Shard{Train: c.Train, View: c.View}
		switch k := c.TestSet; {
		case k == nil:
		case *k < 0 || *k >= len(file.TestSets):
			return nil, fmt.Errorf("client %d: test_set %d is out of range, because the file has %d test_sets; without test_set a client is tested on all test images of its classes", i, *k, len(file.TestSets))
		default:
			if p.Shards[i].Test = file.TestSets[*k]; len(p.Shards[i].Test) == 0 {
				return nil, fmt.Errorf("client %d has no test samples: test_set %d is empty", i, *k)
			}
		}
		if c.HeldOut {
			p.HeldOut = append(p.HeldOut, i)
		}
		for class, l := range c.LabelMap {
			if l < 0 || l > 255 {
				return nil, fmt.Errorf("client %d: its label map maps class %d to %d, which is not a label", i, class, l)
			}
			p.Shards[i].LabelMap = append(p.Shards[i].LabelMap, uint8(l))
		}
	}
	if err := p.completeTests(s); err != nil {
		return nil, err
	}
	if err := p.Check(s); err != nil {
		return nil, err
	}
	return p, nil
}

// startsWithList reports whether the first character other than white space starts a JSON list. It reads the white space.
func startsWithList(r *bufio.Reader) bool {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return false
		}
		if !strings.ContainsRune(" \t\r\n", rune(b)) {
			r.UnreadByte() // cannot fail after a byte was read
			return b == '['
		}
	}
}

// jsonError returns a clearer error for an error of the JSON decoder. tooLong says that the input exceeded the size limit.
func jsonError(err error, tooLong bool) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var failed *fs.PathError
	switch {
	case errors.As(err, &failed): // the disk, not the content
		return failed.Err
	case tooLong:
		return fmt.Errorf("not a partition: it is longer than %d bytes", maxFileBytes)
	case errors.Is(err, io.EOF):
		return errors.New("not a partition: the file is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not a complete partition: the JSON is truncated")
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON at byte %d: %v", syntax.Offset, syntax)
	case errors.As(err, &kind):
		what := kind.Field
		if what == "" {
			what = "the value"
		}
		return fmt.Errorf("not a partition: %s at byte %d is %s, but must be %s (docs/partitions.md has the keys)", what, kind.Offset, jsonValueName(kind.Value), jsonTypeName(kind.Type))
	}
	return fmt.Errorf("not a partition: %w", err)
}

// jsonValueName returns a description of a value, given the JSON decoder's name for it: "array", "number 1.5".
func jsonValueName(value string) string {
	switch value {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "string":
		return "a text (string)"
	case "bool":
		return "true or false"
	}
	return value
}

// jsonTypeName returns a description of the JSON values that this program reads into a Go type.
func jsonTypeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int32:
		return "a whole number below 2147483648"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint8, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object with keys"
}
