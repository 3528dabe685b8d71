package corruption

import "math"

// The corruption elastic_transform distorts the image by an affine map that moves three points at random, and then by smooth
// random shifts of every pixel.
func init() {
	register(corruption{name: "elastic_transform", apply: elastic})
}

func elastic(x *canvas, severity int, r draws) {
	side := float64(min(x.h, x.w))
	ripple := side * [MaxSeverity]float64{0, .05, .08, .1, .1}[severity-1]
	sigma := side * [MaxSeverity]float64{0, .2, .06, .04, .03}[severity-1]
	askew := side * [MaxSeverity]float64{.08, .07, .06, .05, .03}[severity-1]

	cx, cy, d := float64(x.w/2), float64(x.h/2), float64(min(x.h, x.w)/3)
	from := [3][2]float64{{cx + d, cy + d}, {cx + d, cy - d}, {cx - d, cy - d}}
	to := from
	for i := range to {
		to[i][0] += between(r, -askew, askew)
		to[i][1] += between(r, -askew, askew)
	}
	if back, ok := affine(to, from); ok {
		for c := range x.c {
			plane := x.plane(c)
			out := make([]float64, len(plane))
			for i := range out {
				px, py := float64(i%x.w), float64(i/x.w)
				out[i] = sample(plane, x.h, x.w, back[1][0]*px+back[1][1]*py+back[1][2],
					back[0][0]*px+back[0][1]*py+back[0][2], reflect101)
			}
			copy(plane, out)
		}
	}

	shift := func() []float64 {
		s := make([]float64, x.h*x.w)
		for i := range s {
			s[i] = between(r, -1, 1)
		}
		gaussianBlur(s, x.h, x.w, sigma, 3, reflectEdge)
		return s
	}
	dx, dy := shift(), shift()
	for c := range x.c {
		plane := x.plane(c)
		out := make([]float64, len(plane))
		for i := range out {
			out[i] = sample(plane, x.h, x.w, float64(i/x.w)+ripple*dy[i], float64(i%x.w)+ripple*dx[i], reflectEdge)
		}
		copy(plane, out)
	}
}

// affine returns the map (x, y) -> M (x, y, 1) that maps three points to three other points. ok is false if the points are
// on a line.
func affine(from, to [3][2]float64) (m [2][3]float64, ok bool) {
	ax, ay := from[1][0]-from[0][0], from[1][1]-from[0][1]
	bx, by := from[2][0]-from[0][0], from[2][1]-from[0][1]
	det := ax*by - ay*bx
	if math.Abs(det) < 1e-9 {
		return m, false
	}
	for k := range m {
		a, b := to[1][k]-to[0][k], to[2][k]-to[0][k]
		m[k][0] = (a*by - b*ay) / det
		m[k][1] = (b*ax - a*bx) / det
		m[k][2] = to[0][k] - m[k][0]*from[0][0] - m[k][1]*from[0][1]
	}
	return m, true
}
