package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Image is a decoded image: planes of Height x Width bytes one after the other, one if it is grey, else R, G, B.
type Image struct {
	Width, Height, Channels int
	Pixels                  []byte // Channels*Height*Width
}

// Config is what a file says of itself before its pixels.
type Config struct {
	Width, Height int
	Components    int // 1 grey, 3 colours, 4 CMYK
}

var (
	errShort = errors.New("truncated: ends too soon")
	errCode  = errors.New("damaged: no such code")
)

// Markers (table B.1).
const (
	soi, eoi, sos, dht, dqt, dri = 0xd8, 0xd9, 0xda, 0xc4, 0xdb, 0xdd
	sof0, sof1, sof2             = 0xc0, 0xc1, 0xc2
	rst0, rst7, tem              = 0xd0, 0xd7, 0x01
	dac, jpg, dnl                = 0xcc, 0xc8, 0xdc
	app0, app14                  = 0xe0, 0xee
)

// maxScans bounds the scans of a file: a few bytes make a scan of a large image.
const maxScans = 200

// component is one of an image's planes.
type component struct {
	id     byte
	h, v   int        // samples in a minimum coded unit, across and down, by 8
	quant  int        // its quantisation table
	table  *[64]int32 // the table as it was at the component's first scan; nil before
	w, hgt int        // samples of the image, as few as cover it
	bw, bh int        // blocks held, whole units
	coef   []int16
	dc, ac int // Huffman tables of the scan
	last   int // DC of the last block
}

type decoder struct {
	b           []byte
	at          int
	w, h        int
	progressive bool
	comps       []component
	hMax, vMax  int
	quant       [4]*[64]int32
	dcCodes     [4]codes
	acCodes     [4]codes
	restart     int // units between restart markers; 0 for none
	jfif        bool
	adobe       int // its transform; -1 where there is no such marker
	scans       int

	bits  uint32 // read and not yet used, the next one highest
	count int    // how many
	eob   int    // blocks still to come of an end-of-band run
}

// ReadConfig reads a file up to its size.
func ReadConfig(b []byte) (Config, error) {
	d := decoder{b: b, adobe: -1}
	if err := d.markers(true); err != nil {
		return Config{}, err
	}
	return Config{d.w, d.h, len(d.comps)}, nil
}

// Decode decodes a file. The caller has seen its size in ReadConfig: about ten bytes are allocated for a pixel.
func Decode(b []byte) (*Image, error) {
	d := decoder{b: b, adobe: -1}
	if err := d.markers(false); err != nil {
		return nil, err
	}
	if d.scans == 0 {
		return nil, errShort
	}
	return d.image()
}

// byte2 returns the next two bytes as a number.
func (d *decoder) byte2() (int, error) {
	if d.at+2 > len(d.b) {
		return 0, errShort
	}
	n := binary.BigEndian.Uint16(d.b[d.at:])
	d.at += 2
	return int(n), nil
}

// segment returns the bytes that follow a marker.
func (d *decoder) segment() ([]byte, error) {
	n, err := d.byte2()
	if err != nil {
		return nil, err
	}
	if n < 2 || d.at+n-2 > len(d.b) {
		return nil, errShort
	}
	s := d.b[d.at : d.at+n-2]
	d.at += n - 2
	return s, nil
}

// marker returns the next marker, past what may lie before it.
func (d *decoder) marker() (byte, error) {
	for d.at+1 < len(d.b) {
		if d.b[d.at] == 0xff && d.b[d.at+1] != 0 && d.b[d.at+1] != 0xff {
			d.at += 2
			return d.b[d.at-1], nil
		}
		d.at++
	}
	return 0, errShort
}

// markers reads the file, or up to the size of the image.
func (d *decoder) markers(sizeOnly bool) error {
	if len(d.b) < 2 || d.b[0] != 0xff || d.b[1] != soi {
		return errors.New("not a JPEG file")
	}
	d.at = 2
	for {
		m, err := d.marker()
		if err != nil {
			return err
		}
		switch {
		case m == eoi:
			return nil
		case m == tem || m == soi || m >= rst0 && m <= rst7:
			continue
		}
		s, err := d.segment()
		if err != nil {
			return err
		}
		switch {
		case m == sof0 || m == sof1 || m == sof2:
			d.progressive = m == sof2
			if err := d.frame(s); err != nil || sizeOnly {
				return err
			}
			if err := d.allocate(); err != nil {
				return err
			}
		case m >= 0xc3 && m <= 0xcf && m != dht && m != dac && m != jpg:
			return errors.New("a JPEG of a kind that is not read: lossless, hierarchical or with arithmetic codes")
		case m == dnl:
			return errors.New("a JPEG whose height comes last")
		case m == dht:
			err = d.huffman(s)
		case m == dqt:
			err = d.quantisation(s)
		case m == dri:
			if len(s) != 2 {
				return errShort
			}
			d.restart = int(binary.BigEndian.Uint16(s))
		case m == app0 && len(s) >= 5 && string(s[:5]) == "JFIF\x00":
			d.jfif = true
		case m == app14 && len(s) >= 12 && string(s[:5]) == "Adobe":
			d.adobe = int(s[11])
		case m == sos:
			err = d.scan(s)
		}
		if err != nil {
			return err
		}
	}
}

// frame reads the size and the components (B.2.2).
func (d *decoder) frame(s []byte) error {
	switch {
	case d.comps != nil:
		return errors.New("damaged: two images in one file")
	case len(s) < 6 || len(s) != 6+3*int(s[5]):
		return errShort
	case s[0] != 8:
		return fmt.Errorf("%d bits, 8 are read", s[0])
	}
	d.h, d.w = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if n := s[5]; n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("%d components, 1 or 3 are read", n)
	}
	if d.w == 0 || d.h == 0 {
		return fmt.Errorf("damaged: %d x %d pixels", d.w, d.h)
	}
	for i := range int(s[5]) {
		c := component{id: s[6+3*i], h: int(s[7+3*i] >> 4), v: int(s[7+3*i] & 15), quant: int(s[8+3*i])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return errors.New("damaged: a component without a sampling or a table")
		}
		for _, other := range d.comps {
			if other.id == c.id {
				return errors.New("damaged: a component twice")
			}
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
		d.comps = append(d.comps, c)
	}
	return nil
}

// allocate makes room for the coefficients.
func (d *decoder) allocate() error {
	if len(d.comps) == 4 {
		return errors.New("CMYK colours")
	}
	if len(d.comps) == 1 { // its sampling means nothing
		d.comps[0].h, d.comps[0].v, d.hMax, d.vMax = 1, 1, 1, 1
	}
	for i := range d.comps {
		c := &d.comps[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return errors.New("a sampling by fractions is not read")
		}
		c.w, c.hgt = ceil(d.w*c.h, d.hMax), ceil(d.h*c.v, d.vMax)
		c.bw, c.bh = ceil(d.w, 8*d.hMax)*c.h, ceil(d.h, 8*d.vMax)*c.v
		c.coef = make([]int16, 64*c.bw*c.bh)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// quantisation reads tables (B.2.4.1).
func (d *decoder) quantisation(s []byte) error {
	for len(s) > 0 {
		wide, id := int(s[0]>>4), s[0]&15
		if wide > 1 || id > 3 || len(s) < 1+64*(1+wide) {
			return errors.New("damaged: a quantisation table")
		}
		d.quant[id] = &[64]int32{}
		for k := range 64 {
			v := int32(s[1+k])
			if wide == 1 {
				v = int32(binary.BigEndian.Uint16(s[1+2*k:]))
			}
			d.quant[id][zigzag[k]] = v
		}
		s = s[1+64*(1+wide):]
	}
	return nil
}

// zigzag is the place in a block, row by row, of each coefficient in a file's order (figure A.6).
var zigzag = func() (z [64]int) {
	x, y := 0, 0
	for k := range z {
		z[k] = 8*y + x
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y < 7 && x == 0:
			y++
		case up && y == 0, !up && y == 7:
			x++
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return z
}()
