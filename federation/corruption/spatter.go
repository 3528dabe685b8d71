package corruption

import "math"

// The corruption spatter adds drops of water (severities 1 to 3) or mud (4 and 5) where smoothed noise is highest.
func init() {
	register(corruption{name: "spatter", apply: spatter})
}

func spatter(x *canvas, severity int, r draws) {
	c := [MaxSeverity]struct{ mean, deviation, blur, threshold, strength float64 }{
		{.62, .1, .7, .7, .5},
		{.65, .1, .8, .7, .5},
		{.65, .3, 1, .69, .5},
		{.65, .1, .7, .69, .6},
		{.65, .1, .5, .68, .6},
	}[severity-1]
	liquid := make([]float64, x.h*x.w)
	for i := range liquid {
		liquid[i] = c.mean + c.deviation*r.normal()
	}
	gaussianBlur(liquid, x.h, x.w, c.blur, 4, nearestEdge)
	if severity > 3 {
		for i, v := range liquid {
			liquid[i] = 0
			if v > c.threshold {
				liquid[i] = 1
			}
		}
		gaussianBlur(liquid, x.h, x.w, c.strength, 4, nearestEdge)
		for ch, mud := range x.colourOf(63./255, 42./255, 20./255) {
			plane := x.plane(ch)
			for i, m := range liquid {
				if m >= 0.8 {
					plane[i] = plane[i]*(1-m) + mud*m
				}
			}
		}
		return
	}
	for i, v := range liquid {
		if v < c.threshold {
			v = 0
		}
		liquid[i] = float64(level(v))
	}
	shade := drops(liquid, x.h, x.w)
	top := 0.0
	for i, s := range shade {
		liquid[i] *= s
		top = math.Max(top, liquid[i])
	}
	if top == 0 {
		return // there are no drops
	}
	for ch, water := range x.colourOf(175./255, 238./255, 238./255) {
		plane := x.plane(ch)
		for i, v := range liquid {
			plane[i] += v / top * c.strength * water
		}
	}
}

// drops returns the shade of a layer of liquid (levels), which depends on the distance from its outlines. The layer looks as
// if lit from one side.
func drops(liquid []float64, h, w int) []float64 {
	far := edgeDistance(outlines(liquid, h, w), h, w)
	for i, d := range far {
		far[i] = math.Min(d, 20)
	}
	box := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}
	correlate(far, h, w, box)
	for i, sum := range far {
		far[i] = math.Floor(sum / 9)
	}
	equaliseHistogram(far)
	correlate(far, h, w, []float64{-2, -1, 0, -1, 1, 1, 0, 1, 2})
	for i, v := range far {
		far[i] = whole(v)
	}
	correlate(far, h, w, box)
	for i, sum := range far {
		far[i] = math.Round(sum / 9)
	}
	return far
}

// outlines finds edges in a plane of levels by Canny's method: Sobel gradients of at least 50 that are largest across the edge
// and are connected to a gradient above 150. The magnitude of a gradient is |x| + |y|.
func outlines(plane []float64, h, w int) []bool {
	const low, high = 50, 150
	at := func(y, x int) float64 { return plane[nearestEdge(y, h)*w+nearestEdge(x, w)] }
	gx, gy := make([]float64, h*w), make([]float64, h*w)
	for i := range plane {
		y, x := i/w, i%w
		gx[i] = at(y-1, x+1) + 2*at(y, x+1) + at(y+1, x+1) - at(y-1, x-1) - 2*at(y, x-1) - at(y+1, x-1)
		gy[i] = at(y+1, x-1) + 2*at(y+1, x) + at(y+1, x+1) - at(y-1, x-1) - 2*at(y-1, x) - at(y-1, x+1)
	}
	size := func(y, x int) float64 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return math.Abs(gx[y*w+x]) + math.Abs(gy[y*w+x])
	}
	edge, weak := make([]bool, h*w), make([]bool, h*w)
	var strong []int
	for i := range plane {
		y, x := i/w, i%w
		m := size(y, x)
		if m <= low {
			continue
		}
		var largest bool
		switch ax, ay := math.Abs(gx[i]), math.Abs(gy[i]); {
		case ay < ax*(math.Sqrt2-1): // tan 22.5°
			largest = m > size(y, x-1) && m >= size(y, x+1)
		case ay > ax*(math.Sqrt2+1):
			largest = m > size(y-1, x) && m >= size(y+1, x)
		case gx[i] < 0 != (gy[i] < 0):
			largest = m > size(y-1, x+1) && m > size(y+1, x-1)
		default:
			largest = m > size(y-1, x-1) && m > size(y+1, x+1)
		}
		weak[i] = largest
		if largest && m > high {
			edge[i] = true
			strong = append(strong, i)
		}
	}
	for len(strong) > 0 {
		i := strong[len(strong)-1]
		strong = strong[:len(strong)-1]
		y, x := i/w, i%w
		for ny := max(y-1, 0); ny <= min(y+1, h-1); ny++ {
			for nx := max(x-1, 0); nx <= min(x+1, w-1); nx++ {
				if j := ny*w + nx; weak[j] && !edge[j] {
					edge[j] = true
					strong = append(strong, j)
				}
			}
		}
	}
	return edge
}

// edgeDistance returns the distance of each pixel from the nearest edge by a 5 x 5 chamfer: straight steps of 1, diagonal
// steps of 1.4 and knight's moves of 2.1969 (Borgefors, 1986), in multiples of 1/65536. If there is no edge, the distances are
// very large.
func edgeDistance(edge []bool, h, w int) []float64 {
	const one, diagonal, knight = 1 << 16, 91750, 143976
	d := make([]int, h*w)
	for i := range d {
		if !edge[i] {
			d[i] = math.MaxInt32 >> 2
		}
	}
	steps := []struct{ dy, dx, cost int }{
		{-2, -1, knight}, {-2, 1, knight}, {-1, -2, knight}, {-1, -1, diagonal}, {-1, 0, one}, {-1, 1, diagonal},
		{-1, 2, knight}, {0, -1, one},
	}
	for _, sign := range []int{1, -1} { // down, and then up with reversed steps
		for k := range d {
			i := k
			if sign < 0 {
				i = len(d) - 1 - k
			}
			for _, s := range steps {
				y, x := i/w+sign*s.dy, i%w+sign*s.dx
				if y >= 0 && y < h && x >= 0 && x < w {
					d[i] = min(d[i], d[y*w+x]+s.cost)
				}
			}
		}
	}
	out := make([]float64, len(d))
	for i, v := range d {
		out[i] = float64(v) / one
	}
	return out
}

// equaliseHistogram makes the distribution of the levels uniform, with the lowest level at 0 and the highest at 255.
func equaliseHistogram(plane []float64) {
	var count [256]int
	for _, v := range plane {
		count[byte(v)]++
	}
	lowest := 0
	for count[lowest] == 0 {
		lowest++
	}
	if count[lowest] == len(plane) {
		return
	}
	scale := 255 / float64(len(plane)-count[lowest])
	var to [256]float64
	sum := 0
	for l := lowest + 1; l < 256; l++ {
		sum += count[l]
		to[l] = math.RoundToEven(float64(sum) * scale)
	}
	for i, v := range plane {
		plane[i] = to[byte(v)]
	}
}
