package jpeg

// image makes pixels of the coefficients.
func (d *decoder) image() (*Image, error) {
	m := &Image{Width: d.w, Height: d.h, Channels: len(d.comps)}
	n := d.w * d.h
	m.Pixels = make([]byte, m.Channels*n)
	for i := range d.comps {
		c := &d.comps[i]
		if c.table == nil {
			return nil, errShort // a component without a scan
		}
		plane, stride := d.samples(c)
		upsample(m.Pixels[i*n:(i+1)*n], d.w, d.h, plane, stride, c.w, c.hgt, d.hMax/c.h, d.vMax/c.v)
	}
	if m.Channels == 3 && d.isYCbCr() {
		toRGB(m.Pixels[:n], m.Pixels[n:2*n], m.Pixels[2*n:])
	}
	return m, nil
}

// isYCbCr says whether the three components are luma and chroma, by libjpeg's rules.
func (d *decoder) isYCbCr() bool {
	switch {
	case d.jfif:
		return true
	case d.adobe >= 0:
		return d.adobe != 0
	}
	return string([]byte{d.comps[0].id, d.comps[1].id, d.comps[2].id}) != "RGB"
}

// toRGB turns Y, Cb, Cr into R, G, B in place (JFIF 1.02), with 16 bits of the constants' fractions.
func toRGB(a, b, c []byte) {
	for i := range a {
		y, u, v := int32(a[i]), int32(b[i])-128, int32(c[i])-128
		// 1.402, 0.344136, 0.714136 and 1.772 times 2^16.
		a[i] = clamp(y + (91881*v+1<<15)>>16)
		b[i] = clamp(y + (-22554*u-46802*v+1<<15)>>16)
		c[i] = clamp(y + (116130*u+1<<15)>>16)
	}
}

// upsample writes a plane of cw x ch samples, in rows of stride, at the size of the image, w x h, where a sample stands for
// wide x high pixels. Twice across, or twice down, or both, libjpeg interpolates ("fancy upsampling"): three parts the nearer
// sample and one part the next. Otherwise, and where a plane has at most two samples across, it repeats them.
func upsample(to []byte, w, h int, plane []byte, stride, cw, ch, wide, high int) {
	fancy := wide == 2 && high <= 2 && cw > 2 || wide == 1 && high == 2
	if !fancy {
		for y := range h {
			row := plane[y/high*stride:]
			for x := range w {
				to[y*w+x] = row[x/wide]
			}
		}
		return
	}
	column := make([]int32, cw) // a row of samples; of two rows three parts the nearer and one part the next
	for y := range h {
		near := y / high
		row := plane[near*stride:]
		if high == 1 {
			for x := range column {
				column[x] = int32(row[x])
			}
		} else {
			// Above for the upper row of two, below for the lower.
			next := plane[max(0, min(ch-1, near-1+2*(y%2)))*stride:]
			for x := range column {
				column[x] = 3*int32(row[x]) + int32(next[x])
			}
		}
		out := to[y*w : (y+1)*w]
		for x := range out {
			switch beside := max(0, min(cw-1, x/2-1+2*(x%2))); { // the rounding alternates, as libjpeg's does
			case wide == 1:
				out[x] = byte((column[x] + 1 + int32(y%2)) >> 2)
			case high == 1:
				out[x] = byte((3*column[x/2] + column[beside] + 1 + int32(x%2)) >> 2)
			default:
				out[x] = byte((3*column[x/2] + column[beside] + 8 - int32(x%2)) >> 4)
			}
		}
	}
}
