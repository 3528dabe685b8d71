package parquet

import (
	"encoding/binary"
)

// unsnappy unpacks a block of Snappy (github.com/google/snappy, format_description.txt). A block has literal bytes, and
// copies of earlier bytes.
func unsnappy(b []byte) ([]byte, error) {
	size, n := binary.Uvarint(b)
	// Three bytes copy at most 64 bytes, so a block cannot unpack to more than that.
	if n <= 0 || size > 22*uint64(len(b)) {
		return nil, errTruncated
	}
	b = b[n:]
	out := make([]byte, 0, size)
	for len(b) > 0 {
		tag := b[0]
		length, offset, used := 0, 0, 0
		switch tag & 3 {
		case 0:
			length, used = int(tag>>2)+1, 1
			if extra := length - 60; extra > 0 { // the length is in 1 to 4 bytes
				if len(b) < 1+extra {
					return nil, errTruncated
				}
				var full [8]byte
				copy(full[:], b[1:1+extra])
				length, used = int(binary.LittleEndian.Uint64(full[:]))+1, 1+extra
			}
			if length > len(b)-used || length > cap(out)-len(out) {
				return nil, errTruncated
			}
			out = append(out, b[used:used+length]...)
			b = b[used+length:]
			continue
		case 1:
			if len(b) < 2 {
				return nil, errTruncated
			}
			length, offset, used = int(tag>>2&7)+4, int(tag>>5)<<8|int(b[1]), 2
		case 2:
			if len(b) < 3 {
				return nil, errTruncated
			}
			length, offset, used = int(tag>>2)+1, int(binary.LittleEndian.Uint16(b[1:])), 3
		case 3:
			if len(b) < 5 {
				return nil, errTruncated
			}
			length, offset, used = int(tag>>2)+1, int(binary.LittleEndian.Uint32(b[1:])), 5
		}
		if offset < 1 || offset > len(out) || length > cap(out)-len(out) {
			return nil, errTruncated
		}
		for range length { // byte by byte, because the copy may overlap its source
			out = append(out, out[len(out)-offset])
		}
		b = b[used:]
	}
	if uint64(len(out)) != size {
		return nil, errTruncated
	}
	return out, nil
}
