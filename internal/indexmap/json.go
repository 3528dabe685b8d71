package indexmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// readJSON reads a map as JSON. It reads token by token, because otherwise a name that occurs twice would replace the
// first.
func readJSON(b []byte) (*Map, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	m := &Map{}
	beside := "" // a key that only FL-bench's files have
	err := eachKey(dec, func(name string) error {
		switch {
		case name == keyClients && !m.Pooled && len(m.Clients) == 0:
			m.Pooled = true
			return m.readClients(dec)
		case slices.Contains(otherKeys, name) && (m.Pooled || len(m.Clients) == 0):
			beside = name
			var skipped json.RawMessage
			return dec.Decode(&skipped)
		case m.Pooled:
			return fmt.Errorf("the key %q is unknown beside %s", name, keyClients)
		}
		return m.readClient(dec, name)
	})
	if err != nil {
		return nil, describe(err, dec.InputOffset())
	}
	if beside != "" && !m.Pooled {
		return nil, fmt.Errorf("the key %q is not a client, and there is no %s", beside, keyClients)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows the clients at byte %d: a file must be one JSON object", dec.InputOffset())
	}
	return m, nil
}

// readClients reads the clients of data_indices, a list or an object.
func (m *Map) readClients(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if err := m.readClient(dec, strconv.Itoa(i)); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	case json.Delim('{'):
		return eachKeyOf(dec, func(name string) error { return m.readClient(dec, name) })
	}
	return fmt.Errorf("%s is not a list of clients", keyClients)
}

// readClient reads a client: the list of its training indices, or an object of its lists.
func (m *Map) readClient(dec *json.Decoder, name string) error {
	c := Client{Name: name}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		c.Train, err = readIndices(dec)
	case json.Delim('{'):
		err = eachKeyOf(dec, func(key string) error {
			to, err := c.list(key)
			if err == nil {
				var t json.Token
				if t, err = dec.Token(); err == nil && t != json.Delim('[') {
					err = errors.New("no list of indices")
				}
			}
			if err == nil {
				*to, err = readIndices(dec)
			}
			if err != nil {
				return fmt.Errorf("%q: %w", key, err)
			}
			return nil
		})
	default:
		err = errors.New("neither a list of indices nor an object of lists")
	}
	if err != nil {
		return fmt.Errorf("client %s: %w", quoted(name), err)
	}
	m.Clients = append(m.Clients, c)
	return nil
}

// readIndices reads the rest of a list of indices.
func readIndices(dec *json.Decoder) ([]int32, error) {
	list := []int32{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		text, ok := t.(json.Number)
		n, err := strconv.ParseInt(string(text), 10, 32)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("entry %d is not an index, must be a whole number from 0", len(list))
		}
		list = append(list, int32(n))
	}
	_, err := dec.Token()
	return list, err
}

// eachKey reads an object and calls visit after each key, which reads the value.
func eachKey(dec *json.Decoder, visit func(key string) error) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("the file has no object of clients")
	}
	return eachKeyOf(dec, visit)
}

// eachKeyOf is eachKey after the opening brace. A key that occurs twice is an error.
func eachKeyOf(dec *json.Decoder, visit func(key string) error) error {
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v is not a key", t)
		}
		if seen[key] {
			return fmt.Errorf("the key %q occurs twice", key)
		}
		seen[key] = true
		if err := visit(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// describe describes an error of the JSON decoder.
func describe(err error, offset int64) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("truncated JSON")
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON at byte %d: %w", offset, err)
	}
	return err
}
