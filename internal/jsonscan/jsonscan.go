// Package jsonscan reads JSON as a stream, value by value, with callbacks for the keys of objects and the items of lists.
// It has one string or number in memory at a time, so that files of many gigabytes can be read. encoding/json would hold
// whole lists in memory, or take ten times as long token by token for lists of repeating numbers, such as pixels.
//
// Errors name the byte. No input makes the package panic, or allocate more than a small multiple of its size.
package jsonscan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"feddag/internal/damage"
)

const (
	maxNumber = 64      // largest number of bytes of a number
	maxString = 1 << 20 // largest number of bytes of a string
	maxDepth  = 64      // deepest nesting of lists and objects
	maxKnown  = 1 << 12 // largest number of numbers that are remembered
)

// Scanner reads a JSON text.
type Scanner struct {
	r     *bufio.Reader
	at    int64 // bytes read
	depth int
	text  []byte             // bytes of the number or string that is being read
	known map[string]float64 // numbers by their text
}

// New returns a scanner of the text that r reads.
func New(r io.Reader) *Scanner {
	return &Scanner{r: bufio.NewReaderSize(r, 1<<16), known: map[string]float64{}}
}

// errorf returns an error about the byte that was read last.
func (s *Scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

// describe describes an error of the reader.
func describe(err error) error {
	if damage.Ended(err) {
		return errors.New("truncated JSON")
	}
	return err
}

// next returns the next byte that is not white space, without reading it.
func (s *Scanner) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, describe(err)
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c, s.r.UnreadByte()
		}
	}
}

// take reads the next byte that is not white space.
func (s *Scanner) take() (byte, error) {
	c, err := s.next()
	if err == nil {
		s.r.ReadByte() // the byte that next returned
		s.at++
	}
	return c, err
}

// Kind returns the kind of the next value: '{', '[', '"', '0' for a number, 't', 'f' or 'n'.
func (s *Scanner) Kind() (byte, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return 0, err
	case c == '-' || c >= '0' && c <= '9':
		return '0', nil
	case c == '{', c == '[', c == '"', c == 't', c == 'f', c == 'n':
		return c, nil
	}
	s.at++
	return 0, s.errorf("%q does not begin a value", c)
}

// kindNames has the names of the kinds that Kind returns, for messages.
var kindNames = map[byte]string{'{': "an object", '[': "a list", '"': "a string", '0': "a number", 't': "true", 'f': "false", 'n': "null"}

// begin reads the first byte of a value that must be of a kind.
func (s *Scanner) begin(kind byte) error {
	got, err := s.Kind()
	if err != nil {
		return err
	}
	if got != kind {
		s.at++
		return s.errorf("%s, must be %s", kindNames[got], kindNames[kind])
	}
	if kind != '0' {
		_, err = s.take()
	}
	return err
}

// Object reads an object. It calls visit after each key, which must read the value. It is up to visit to notice a key that
// occurs twice.
func (s *Scanner) Object(visit func(key string) error) error {
	if err := s.begin('{'); err != nil {
		return err
	}
	return s.items('}', func(int) error {
		key, err := s.String()
		if err != nil {
			return err
		}
		if c, err := s.take(); err != nil {
			return err
		} else if c != ':' {
			return s.errorf("%q, must be a colon", c)
		}
		return visit(key)
	})
}

// List reads a list. It calls visit before each item, which must read it.
func (s *Scanner) List(visit func(i int) error) error {
	if err := s.begin('['); err != nil {
		return err
	}
	return s.items(']', visit)
}

// items reads items, separated by commas, up to the byte end.
func (s *Scanner) items(end byte, visit func(i int) error) error {
	if s.depth++; s.depth > maxDepth {
		return s.errorf("more than %d lists and objects within each other", maxDepth)
	}
	defer func() { s.depth-- }()
	if c, err := s.next(); err != nil {
		return err
	} else if c == end {
		_, err := s.take()
		return err
	}
	for i := 0; ; i++ {
		if err := visit(i); err != nil {
			return err
		}
		c, err := s.take()
		switch {
		case err != nil:
			return err
		case c == end:
			return nil
		case c != ',':
			return s.errorf("%q, must be a comma or %q", c, end)
		}
	}
}

// String reads a string.
func (s *Scanner) String() (string, error) {
	if err := s.begin('"'); err != nil {
		return "", err
	}
	s.text = append(s.text[:0], '"')
	escaped := false
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return "", describe(err)
		}
		s.at++
		if s.text = append(s.text, c); len(s.text) > maxString {
			return "", s.errorf("a string of more than %d bytes", maxString)
		}
		if c == '"' && !escaped {
			break
		}
		escaped = c == '\\' && !escaped
	}
	var text string
	if err := json.Unmarshal(s.text, &text); err != nil {
		return "", s.errorf("not a JSON string: %v", err)
	}
	return text, nil
}

// Number reads a number.
func (s *Scanner) Number() (float64, error) {
	if err := s.begin('0'); err != nil {
		return 0, err
	}
	s.text = s.text[:0]
	for {
		c, err := s.r.ReadByte()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if !(c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E') {
			if err := s.r.UnreadByte(); err != nil {
				return 0, err
			}
			break
		}
		s.at++
		if s.text = append(s.text, c); len(s.text) > maxNumber {
			return 0, s.errorf("a number of more than %d bytes", maxNumber)
		}
	}
	if v, ok := s.known[string(s.text)]; ok {
		return v, nil
	}
	v, err := strconv.ParseFloat(string(s.text), 64)
	if err != nil {
		return 0, s.errorf("%q is not a number", s.text)
	}
	if len(s.known) < maxKnown {
		s.known[string(s.text)] = v
	}
	return v, nil
}

// Skip reads a value and ignores it.
func (s *Scanner) Skip() error {
	kind, err := s.Kind()
	if err != nil {
		return err
	}
	switch kind {
	case '{':
		return s.Object(func(string) error { return s.Skip() })
	case '[':
		return s.List(func(int) error { return s.Skip() })
	case '"':
		_, err := s.String()
		return err
	case '0':
		_, err := s.Number()
		return err
	}
	for _, want := range map[byte]string{'t': "true", 'f': "false", 'n': "null"}[kind] {
		c, err := s.r.ReadByte()
		if err != nil {
			return describe(err)
		}
		if s.at++; c != byte(want) {
			return s.errorf("%q does not begin a value", kind)
		}
	}
	return nil
}

// End returns an error unless only white space follows.
func (s *Scanner) End() error {
	c, err := s.r.ReadByte()
	for ; err == nil; c, err = s.r.ReadByte() {
		if s.at++; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return s.errorf("more follows the end of the JSON")
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}
