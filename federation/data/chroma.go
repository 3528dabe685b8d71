package data

import "image"

// Go's image/jpeg repeats a chroma sample over the pixels that it covers. libjpeg, and with it Pillow and torchvision,
// interpolates between samples ("fancy upsampling"), which changes three of five values of an image of 32 x 32. The
// code below computes what libjpeg computes from the same samples. The inverse cosine transforms still differ by
// rounding; docs/data.md says by how much.

// rgbOfYCbCr writes the planes R, G and B of an image, each w x h, to dst.
func rgbOfYCbCr(dst []byte, m *image.YCbCr) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	cb, cr := upsample(m.Cb, m), upsample(m.Cr, m)
	r, g, b := dst[:w*h], dst[w*h:2*w*h], dst[2*w*h:3*w*h]
	for y := range h {
		row := m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):]
		for x := range w {
			i := y*w + x
			l, u, v := int32(row[x]), int32(cb[i])-128, int32(cr[i])-128
			// 1.402, 0.344136, 0.714136 and 1.772 times 2^16.
			r[i] = clamp(l + (91881*v+1<<15)>>16)
			g[i] = clamp(l + (-22554*u-46802*v+1<<15)>>16)
			b[i] = clamp(l + (116130*u+1<<15)>>16)
		}
	}
}

func clamp(x int32) byte { return byte(max(0, min(255, x))) }

// upsample returns a chroma plane in the size of the image, w x h.
func upsample(plane []byte, m *image.YCbCr) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	at := func(x, y int) byte { return plane[m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)] }
	out := make([]byte, w*h)
	var wide, high int // number of pixels that a sample covers
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		wide, high = 2, 2
	case image.YCbCrSubsampleRatio422:
		wide, high = 2, 1
	case image.YCbCrSubsampleRatio440:
		wide, high = 1, 2
	}
	// libjpeg does not interpolate at other ratios, nor in a plane that is at most two samples wide.
	if wide == 0 || wide == 2 && w <= 4 {
		for y := range h {
			for x := range w {
				out[y*w+x] = at(x, y)
			}
		}
		return out
	}
	cw, ch := (w+wide-1)/wide, (h+high-1)/high
	column := make([]int32, cw) // a row of samples, or three times the nearer row plus the next one
	for y := range h {
		near := y / high
		other := max(0, min(ch-1, near-1+2*(y%2))) // above for the upper row of two, below for the lower
		for x := range column {
			column[x] = int32(at(x*wide, near*high))
			if high == 2 {
				column[x] = 3*column[x] + int32(at(x*wide, other*high))
			}
		}
		row := out[y*w : (y+1)*w]
		for x := range row {
			beside := max(0, min(cw-1, x/2-1+2*(x%2)))
			switch { // the rounding alternates, as in libjpeg
			case wide == 1:
				row[x] = byte((column[x] + 1 + int32(y%2)) >> 2)
			case high == 1:
				row[x] = byte((3*column[x/2] + column[beside] + 1 + int32(x%2)) >> 2)
			default:
				row[x] = byte((3*column[x/2] + column[beside] + 8 - int32(x%2)) >> 4)
			}
		}
	}
	return out
}
