package corruption

import "slices"

// The corruption fog is (x + c f) m/(m + c), where f is a plasma fractal and m the largest value of the image.
func init() { register(corruption{name: "fog", apply: fog}) }

func fog(x *canvas, severity int, r draws) {
	c := [MaxSeverity]float64{.2, .5, .75, 1, 1.5}[severity-1]
	decay := [MaxSeverity]float64{3, 3, 2.5, 2, 1.75}[severity-1]
	side := 1
	for side < max(x.h, x.w) {
		side *= 2
	}
	f, top := plasma(side, decay, r), slices.Max(x.v)
	for ch := range x.c {
		plane := x.plane(ch)
		for i, v := range plane {
			plane[i] = (v + c*f[i/x.w*side+i%x.w]) * top / (top + c)
		}
	}
}

// plasma draws a height map of side x side values from 0 to 1 by the diamond-square algorithm on a torus. The middle of a
// square is the mean of its corners, and the middle of an edge is the mean of its four neighbours. Noise is added to both,
// and is divided by decay from one size to the next. side is a power of two.
func plasma(side int, decay float64, r draws) []float64 {
	m := make([]float64, side*side)
	at := func(y, x int) float64 { return m[(y&(side-1))*side+x&(side-1)] }
	wibble := 100.0
	for step := side; step >= 2; step /= 2 {
		half := step / 2
		// mean sets each point of the grid that starts at (y0, x0) to the mean of four points, at the distances dy and dx from
		// the point.
		mean := func(y0, x0 int, dy, dx [4]int) {
			for y := y0; y < side; y += step {
				for x := x0; x < side; x += step {
					sum := 0.0
					for k := range dy {
						sum += at(y+dy[k], x+dx[k])
					}
					m[y*side+x] = sum/4 + wibble*between(r, -wibble, wibble)
				}
			}
		}
		mean(half, half, [4]int{-half, half, -half, half}, [4]int{-half, -half, half, half})
		mean(0, half, [4]int{-half, half, 0, 0}, [4]int{0, 0, -half, half})
		mean(half, 0, [4]int{-half, half, 0, 0}, [4]int{0, 0, -half, half})
		wibble /= decay
	}
	low, high := slices.Min(m), slices.Max(m)
	for i := range m {
		m[i] -= low
		if high > low {
			m[i] /= high - low
		}
	}
	return m
}
