// Package indexmap reads files in which other programs for federated learning store the images of each client, as lists of
// indices into a data set:
//
//   - FL-bench's partition.pkl: a dictionary whose data_indices is a list of {train, val, test}, one per client, with indices
//     into the training and test images together;
//   - a dictionary of a list of indices, or of {train, val, test}, for each client, as JSON or as a pickle, such as
//     flwr-datasets' _partition_id_to_indices.
//
// No input makes it panic, or allocate more than a small multiple of its size.
package indexmap

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"feddag/internal/npy"
	"feddag/internal/pickle"
)

// Client is a client with the indices of its images, in the order of the file. A list that the file lacks is nil.
type Client struct {
	Name             string
	Train, Val, Test []int32
}

// Map is the content of a file.
type Map struct {
	// Clients are in the numerical order of their names if all of them are whole numbers, otherwise in alphabetical order.
	Clients []Client
	// Pooled says that the indices count first the training images and then the test images, as in FL-bench. Otherwise each
	// list counts the images of its own split.
	Pooled bool
}

// The keys of the lists of a client, and of the clients in FL-bench's files.
const (
	keyTrain   = "train"
	keyVal     = "val"
	keyTest    = "test"
	keyClients = "data_indices"
)

// otherKeys are the other keys of FL-bench's files.
var otherKeys = []string{"separation", "val"}

// Is reports whether a file that begins with these bytes may be an index map: a pickle, or a JSON object whose first key is
// a whole number or one of FL-bench's keys.
func Is(head []byte) bool {
	if IsPickle(head) {
		return true
	}
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{"))
	if !ok {
		return false
	}
	if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"`)); !ok {
		return false
	}
	key, _, ok := bytes.Cut(rest, []byte(`"`))
	if _, err := strconv.Atoi(string(key)); ok && err == nil {
		return true
	}
	return ok && (string(key) == keyClients || slices.Contains(otherKeys, string(key)))
}

// IsPickle reports whether a file that begins with these bytes is a pickle of protocol 2 or later.
func IsPickle(head []byte) bool {
	return len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] < 32
}

// Read returns the map that a file has. Its errors name the client, but no file.
func Read(b []byte) (*Map, error) {
	var m *Map
	var err error
	if IsPickle(b) {
		m, err = readPickle(b)
	} else {
		m, err = readJSON(b)
	}
	switch {
	case err != nil:
		return nil, err
	case len(m.Clients) == 0:
		return nil, errors.New("the file has no clients")
	}
	sortClients(m.Clients)
	return m, nil
}

// sortClients sorts clients by their names: see Map.
func sortClients(clients []Client) {
	number := map[string]int{}
	for _, c := range clients {
		n, err := strconv.Atoi(c.Name)
		if err != nil {
			slices.SortStableFunc(clients, func(a, b Client) int { return cmp.Compare(a.Name, b.Name) })
			return
		}
		number[c.Name] = n
	}
	slices.SortStableFunc(clients, func(a, b Client) int { return cmp.Compare(number[a.Name], number[b.Name]) })
}

func readPickle(b []byte) (*Map, error) {
	object, err := pickle.Read(b)
	if err != nil {
		return nil, err
	}
	d, ok := object.(*pickle.Dict)
	if !ok {
		return nil, errors.New("the pickle has no dictionary of clients: FL-bench's partition.pkl has one")
	}
	m := &Map{}
	if clients, pooled := d.Items[keyClients]; pooled {
		m.Pooled = true
		for key := range d.Items {
			if key != keyClients && !slices.Contains(otherKeys, key) {
				return nil, fmt.Errorf("the key %q is unknown beside %s", key, keyClients)
			}
		}
		switch list := clients.(type) {
		case *pickle.List:
			for i, item := range list.Items {
				if err := m.add(strconv.Itoa(i), item); err != nil {
					return nil, err
				}
			}
			return m, nil
		case *pickle.Dict:
			d = list
		default:
			return nil, fmt.Errorf("%s is not a list of clients", keyClients)
		}
	}
	for name, item := range d.Items {
		if err := m.add(name, item); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add adds a client of a pickle: a list of its training indices, or a dictionary of its lists.
func (m *Map) add(name string, item any) error {
	c := Client{Name: name}
	d, ok := item.(*pickle.Dict)
	if !ok {
		d = &pickle.Dict{Items: map[string]any{keyTrain: item}}
	}
	for key, list := range d.Items {
		to, err := c.list(key)
		if err == nil {
			*to, err = indices(list)
		}
		if err != nil {
			return fmt.Errorf("client %s: %q: %w", quoted(name), key, err)
		}
	}
	m.Clients = append(m.Clients, c)
	return nil
}

// quoted returns a number unchanged and another name in quotes, so that it fits on a line.
func quoted(name string) string {
	if _, err := strconv.Atoi(name); err == nil {
		return name
	}
	return strconv.Quote(name)
}

// list returns the list of a client with the given key.
func (c *Client) list(key string) (*[]int32, error) {
	switch key {
	case keyTrain:
		return &c.Train, nil
	case keyVal:
		return &c.Val, nil
	case keyTest:
		return &c.Test, nil
	}
	return nil, fmt.Errorf("the key is unknown: a client has %s, %s and %s", keyTrain, keyVal, keyTest)
}

// indices returns the indices of a list or an array of a pickle.
func indices(object any) ([]int32, error) {
	switch x := object.(type) {
	case *npy.Array:
		if x.Len() == 0 { // NumPy's empty array has floating-point numbers
			if _, objects := x.Data.(*pickle.List); !objects {
				return nil, nil
			}
		}
		numbers, err := x.Ints(0, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		out := make([]int32, len(numbers))
		for i, n := range numbers {
			out[i] = int32(n)
		}
		return out, nil
	case *pickle.List:
		out := make([]int32, len(x.Items))
		for i, item := range x.Items {
			n, ok := item.(int64)
			if !ok || n < 0 || n > math.MaxInt32 {
				return nil, fmt.Errorf("entry %d is not an index, must be a whole number from 0", i)
			}
			out[i] = int32(n)
		}
		return out, nil
	}
	return nil, errors.New("no list of indices")
}
