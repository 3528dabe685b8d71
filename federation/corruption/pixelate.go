package corruption

import "math"

// The corruption pixelate shrinks the image and enlarges it again. Each pixel is the mean of the pixels in its box.
func init() {
	register(corruption{name: "pixelate", apply: func(x *canvas, severity int, _ draws) {
		c := [MaxSeverity]float64{.95, .9, .85, .75, .65}[severity-1]
		h, w := max(1, int(float64(x.h)*c)), max(1, int(float64(x.w)*c))
		for i, v := range x.v {
			x.v[i] = math.Round(v * 255)
		}
		for ch := range x.c {
			copy(x.plane(ch), resizeBox(resizeBox(x.plane(ch), x.h, x.w, h, w), h, w, x.h, x.w))
		}
		for i, v := range x.v {
			x.v[i] = v / 255
		}
	}})
}

// resizeBox resizes a plane of levels (0..255) to height x width, first horizontally, then vertically, and rounds each time.
func resizeBox(plane []float64, h, w, height, width int) []float64 {
	across := boxMeans(plane, w, width, h, 1, w, 1, width)
	return boxMeans(across, h, height, width, width, 1, width, 1)
}

// boxMeans converts lines of n values to lines of m means. step is the distance between values of a line, and next is the
// distance between lines.
func boxMeans(in []float64, n, m, lines, step, next, stepOut, nextOut int) []float64 {
	out := make([]float64, lines*m)
	scale := float64(n) / float64(m)
	half := max(scale, 1) / 2
	for i := range m {
		centre := (float64(i) + 0.5) * scale
		// A sample counts if the distance of its middle from the centre is at most half. If two samples are exactly at half, only
		// the left one counts.
		lo, hi := max(int(centre-half+0.5), 0), min(int(centre+half+0.5), n)
		for lo < hi-1 && float64(lo)-centre+0.5 <= -half {
			lo++
		}
		for hi-1 > lo && float64(hi-1)-centre+0.5 > half {
			hi--
		}
		for line := range lines {
			sum := 0.0
			for k := lo; k < hi; k++ {
				sum += in[k*step+line*next]
			}
			out[i*stepOut+line*nextOut] = whole(sum / float64(hi-lo))
		}
	}
	return out
}
