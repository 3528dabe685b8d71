package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// exifOption returns the option exif: whether images are rotated according to their EXIF orientation.
func exifOption(q query, usual bool) (bool, error) {
	switch text, given := q.extra["exif"]; {
	case !given:
		return usual, nil
	case text == "apply", text == "ignore":
		return text == "apply", nil
	default:
		return false, fmt.Errorf("option exif=%s: use ignore or apply", text)
	}
}

// orientation returns the EXIF orientation of a JPEG or PNG, 1 (upright) to 8, or 0 if there is none or if it is invalid. It
// reads the same parts as Pillow's Image.getexif: the APP1 segments of a JPEG and the chunk eXIf of a PNG.
func orientation(b []byte) int {
	if rest, ok := bytes.CutPrefix(b, []byte("\x89PNG\r\n\x1a\n")); ok {
		for len(rest) >= 12 {
			size := int64(binary.BigEndian.Uint32(rest))
			if size+12 > int64(len(rest)) {
				return 0
			}
			if string(rest[4:8]) == "eXIf" {
				return orientationOfTIFF(rest[8 : 8+size])
			}
			rest = rest[12+size:]
		}
		return 0
	}
	rest, ok := bytes.CutPrefix(b, []byte("\xff\xd8"))
	for ok && len(rest) >= 4 && rest[0] == 0xff {
		marker := rest[1]
		if marker == 0xff { // fill byte
			rest = rest[1:]
			continue
		}
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xda || size < 2 || size+2 > len(rest) { // the image follows
			return 0
		}
		if segment := rest[4 : 2+size]; marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			return orientationOfTIFF(segment[6:])
		}
		rest = rest[2+size:]
	}
	return 0
}

// orientationOfTIFF finds the tag in the first directory of EXIF's TIFF structure.
func orientationOfTIFF(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(string(b[:2]), "MM") {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 0
	}
	const entry, tag, short = 12, 0x0112, 3
	entries := b[at+2:]
	for range min(int(order.Uint16(b[at:])), len(entries)/entry) {
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 0
		}
		entries = entries[entry:]
	}
	return 0
}

// turn rotates or mirrors an image according to its EXIF orientation, like Pillow's ImageOps.exif_transpose.
func (r *raster) turn(orientation int) {
	if orientation < 2 {
		return
	}
	w, h := r.width, r.height
	across := orientation >= 5 // rows and columns are exchanged
	if across {
		w, h = h, w
	}
	planes := make([]byte, len(r.planes))
	for c := range 3 {
		from, to := r.planes[c*w*h:(c+1)*w*h], planes[c*w*h:(c+1)*w*h]
		for y := range h {
			for x := range w {
				row, column := y, x
				if across {
					row, column = x, y
				}
				switch orientation {
				case 2, 3, 7, 8: // the columns in reverse order
					column = r.width - 1 - column
				}
				switch orientation {
				case 3, 4, 6, 7: // the rows in reverse order
					row = r.height - 1 - row
				}
				to[y*w+x] = from[row*r.width+column]
			}
		}
	}
	r.width, r.height, r.planes = w, h, planes
}
