package jpeg

import "errors"

// look is how many bits are looked up at once.
const look = 9

// codes is a Huffman table (annex C).
type codes struct {
	fast    [1 << look]uint16 // by the next bits: length<<8 | value; 0 where the code is longer, or there is none
	last    [17]int32         // the largest code of each length, -1 for none
	offset  [17]int32         // to the value: values[code+offset]
	values  []byte
	defined bool
}

// huffman reads tables (B.2.4.2).
func (d *decoder) huffman(s []byte) error {
	bad := errors.New("damaged: a Huffman table")
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 3 {
			return bad
		}
		t := &d.dcCodes[s[0]&15]
		if s[0]>>4 == 1 {
			t = &d.acCodes[s[0]&15]
		}
		lengths := s[1:17]
		n := 0
		for _, k := range lengths {
			n += int(k)
		}
		if n == 0 || n > 256 || len(s) < 17+n {
			return bad
		}
		*t = codes{values: append([]byte(nil), s[17:17+n]...), defined: true}
		code, k := int32(0), int32(0)
		for l := 1; l <= 16; l++ {
			count := int32(lengths[l-1])
			if code+count > 1<<l {
				return bad
			}
			t.offset[l] = k - code
			if t.last[l] = code + count - 1; count == 0 {
				t.last[l] = -1
			}
			for range count {
				if l <= look {
					for pad := range int32(1) << (look - l) {
						t.fast[code<<(look-l)|pad] = uint16(l)<<8 | uint16(t.values[k])
					}
				}
				code++
				k++
			}
			code <<= 1
		}
		s = s[17+n:]
	}
	return nil
}

// fill brings in bytes until more than 16 bits are there, or the data ends at a marker. A byte 0xff stands before a 0.
func (d *decoder) fill() {
	for d.count <= 24 && d.at < len(d.b) {
		b := d.b[d.at]
		if b == 0xff {
			if d.at+1 >= len(d.b) || d.b[d.at+1] != 0 {
				return
			}
			d.at++
		}
		d.at++
		d.bits |= uint32(b) << (24 - d.count)
		d.count += 8
	}
}

func (d *decoder) drop(n int) {
	d.bits <<= n
	d.count -= n
}

// take returns the next n bits, at most 16.
func (d *decoder) take(n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	if d.count < n {
		if d.fill(); d.count < n {
			return 0, errShort
		}
	}
	v := int(d.bits >> (32 - n))
	d.drop(n)
	return v, nil
}

// next returns the next value of a code.
func (d *decoder) next(t *codes) (byte, error) {
	if d.count < 16 {
		d.fill()
	}
	if e := t.fast[d.bits>>(32-look)]; e != 0 && int(e>>8) <= d.count {
		d.drop(int(e >> 8))
		return byte(e), nil
	}
	for l := 1; l <= 16; l++ {
		if l > d.count {
			return 0, errShort
		}
		if code := int32(d.bits >> (32 - l)); code <= t.last[l] {
			i := code + t.offset[l]
			if i < 0 || int(i) >= len(t.values) {
				return 0, errCode
			}
			d.drop(l)
			return t.values[i], nil
		}
	}
	return 0, errCode
}

// signed returns a number of n bits whose first bit says that it is positive (F.2.2.1).
func (d *decoder) signed(n int) (int, error) {
	v, err := d.take(n)
	if err == nil && n > 0 && v < 1<<(n-1) {
		v += 1 - 1<<n
	}
	return v, err
}
