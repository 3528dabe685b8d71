package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pushNumber runs the operations that push a number.
func (m *machine) pushNumber(op byte) error {
	switch op {
	case 'K', 'M': // BININT1, BININT2
		n, err := m.number(map[byte]int{'K': 1, 'M': 2}[op])
		if err != nil {
			return err
		}
		return m.push(int64(n))
	case 'J': // BININT
		b, err := m.take(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(binary.LittleEndian.Uint32(b))))
	case 0x8a: // LONG1
		n, err := m.number(1)
		if err != nil {
			return err
		}
		b, err := m.take(n)
		if err != nil {
			return err
		}
		if n > 8 {
			return errors.New("a number of more than 64 bits")
		}
		var v int64
		for i, x := range b {
			v |= int64(x) << (8 * i)
		}
		if n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			v -= 1 << (8 * n)
		}
		return m.push(v)
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	text, err := m.line() // INT, LONG, FLOAT
	if err != nil {
		return err
	}
	switch {
	case op == 'F':
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("damaged: %.40q is not a number", text)
		}
		return m.push(v)
	case op == 'I' && (text == "00" || text == "01"):
		return m.push(text == "01")
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(text, "L"), 10, 64)
	if err != nil {
		return fmt.Errorf("damaged: %.40q is not a number", text)
	}
	return m.push(v)
}

// pushText runs the operations that push a str or bytes.
func (m *machine) pushText(op byte) error {
	var text Text
	var err error
	switch op {
	case 'U', 'C', 0x8c: // SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE
		text, err = m.text(1)
	case 'T', 'B', 'X': // BINSTRING, BINBYTES, BINUNICODE
		text, err = m.text(4)
	case 0x8d, 0x8e, 0x96: // BINUNICODE8, BINBYTES8, BYTEARRAY8
		text, err = m.text(8)
	case 'V': // UNICODE
		var line string
		if line, err = m.line(); err == nil {
			text, err = unescape(line)
		}
	case 'S': // STRING: Python's repr
		var line string
		if line, err = m.line(); err == nil {
			text, err = unquote(line)
		}
	}
	if err != nil {
		return err
	}
	return m.push(text)
}

// unescape decodes Python's raw-unicode-escape: a byte is a character, and so is \uXXXX.
func unescape(text string) (Text, error) {
	var b Text
	for i := 0; i < len(text); i++ {
		r := rune(text[i])
		if r == '\\' && i+5 < len(text) && text[i+1] == 'u' {
			v, err := strconv.ParseUint(text[i+2:i+6], 16, 16)
			if err != nil {
				return nil, fmt.Errorf("damaged: %.40q is not a string", text)
			}
			r = rune(v)
			i += 5
		}
		b = utf8.AppendRune(b, r)
	}
	return b, nil
}

// unquote decodes Python 2's repr of a str.
func unquote(text string) (Text, error) {
	bad := fmt.Errorf("damaged: %.40q is not a string", text)
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '\'' && text[0] != '"' {
		return nil, bad
	}
	text = text[1 : len(text)-1]
	var b Text
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		if i++; i == len(text) {
			return nil, bad
		}
		switch c := text[i]; c {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'x':
			if i+2 >= len(text) {
				return nil, bad
			}
			v, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return nil, bad
			}
			b = append(b, byte(v))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return b, nil
}
