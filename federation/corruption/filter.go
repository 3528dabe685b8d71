package corruption

import "math"

// This file has filters that several corruptions share. Each works in place on a plane of height x width values.

// reflectEdge returns the index of sample i if n samples a b c d are continued as d c b a | a b c d | d c b a.
func reflectEdge(i, n int) int {
	if i = i % (2 * n); i < 0 {
		i += 2 * n
	}
	return min(i, 2*n-1-i)
}

// reflect101 returns the index of sample i if n samples a b c d are continued as d c b | a b c d | c b a.
func reflect101(i, n int) int {
	if n == 1 {
		return 0
	}
	if i = i % (2*n - 2); i < 0 {
		i += 2*n - 2
	}
	return min(i, 2*n-2-i)
}

// nearestEdge returns the index of sample i if n samples a b c d are continued as a a a | a b c d | d d d.
func nearestEdge(i, n int) int { return min(max(i, 0), n-1) }

// gaussianBlur convolves with a Gaussian of standard deviation sigma pixels, cut off after truncate standard deviations.
func gaussianBlur(plane []float64, h, w int, sigma, truncate float64, edge func(i, n int) int) {
	if sigma <= 0 {
		return
	}
	radius := int(truncate*sigma + 0.5)
	kernel := make([]float64, 2*radius+1)
	sum := 0.0
	for i := range kernel {
		d := float64(i - radius)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	blurAxis(plane, h, w, w, 1, kernel, edge)
	blurAxis(plane, w, h, 1, w, kernel, edge)
}

// blurAxis correlates each of n columns with a kernel. Element i of column j, i below m, is plane[i*step+j*next].
func blurAxis(plane []float64, m, n, step, next int, kernel []float64, edge func(i, n int) int) {
	radius := len(kernel) / 2
	column := make([]float64, m+2*radius) // the column, continued at both ends
	from := make([]int, len(column))
	for i := range from {
		from[i] = edge(i-radius, m) * step
	}
	for j := range n {
		for i, f := range from {
			column[i] = plane[f+j*next]
		}
		for i := range m {
			sum := 0.0
			for k, weight := range kernel {
				sum += weight * column[i+k]
			}
			plane[i*step+j*next] = sum
		}
	}
}

// correlate correlates with a square kernel of odd side, given by rows. The image is continued as in reflect101.
func correlate(plane []float64, h, w int, kernel []float64) {
	side := int(math.Sqrt(float64(len(kernel))))
	radius := side / 2
	out := make([]float64, len(plane))
	for k, weight := range kernel {
		if weight == 0 {
			continue
		}
		dy, dx := k/side-radius, k%side-radius
		for y := range h {
			row := plane[reflect101(y+dy, h)*w:]
			for x := range w {
				out[y*w+x] += weight * row[reflect101(x+dx, w)]
			}
		}
	}
	copy(plane, out)
}

// sample interpolates linearly between the four pixels around (y, x). edge gives the index of a pixel outside.
func sample(plane []float64, h, w int, y, x float64, edge func(i, n int) int) float64 {
	y0, x0 := math.Floor(y), math.Floor(x)
	fy, fx := y-y0, x-x0
	top, bottom := edge(int(y0), h)*w, edge(int(y0)+1, h)*w
	left, right := edge(int(x0), w), edge(int(x0)+1, w)
	return (1-fy)*((1-fx)*plane[top+left]+fx*plane[top+right]) + fy*((1-fx)*plane[bottom+left]+fx*plane[bottom+right])
}

// motionBlur averages the pixels along a ray of radius pixels from each pixel with Gaussian weights of standard deviation
// sigma. The angle is in degrees, clockwise from the right. The image is continued as in nearestEdge, and values are rounded
// down to whole levels. The result is that of ImageMagick with the same parameters.
func motionBlur(planes []float64, h, w, radius int, sigma, degrees float64) {
	width := 2*radius + 1
	kernel := make([]float64, width)
	sum := 0.0
	for i := range kernel {
		kernel[i] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
		sum += kernel[i]
	}
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	out := make([]float64, len(planes))
	for i, weight := range kernel {
		dx, dy := int(math.Ceil(float64(i)*cos-0.5)), int(math.Ceil(float64(i)*sin-0.5))
		for first := 0; first < len(planes); first += h * w {
			for y := range h {
				row := planes[first+nearestEdge(y+dy, h)*w:]
				to := out[first+y*w : first+(y+1)*w]
				for x := range to {
					to[x] += weight / sum * row[nearestEdge(x+dx, w)]
				}
			}
		}
	}
	copy(planes, out)
	toLevels(planes)
}

// zoomAxis returns the source position of each of n samples of an axis that is zoomed around its middle: sample i is at the
// fraction part[i] of the distance from sample at[i] to the next one.
func zoomAxis(n int, factor float64) (at []int, part []float64) {
	crop := int(math.Ceil(float64(n) / factor))
	top := (n - crop) / 2
	zoomed := int(math.RoundToEven(float64(crop) * factor))
	trim := (zoomed - n) / 2
	step := 0.0
	if zoomed > 1 {
		step = float64(crop-1) / float64(zoomed-1)
	}
	at, part = make([]int, n), make([]float64, n)
	for i := range at {
		position := min(float64(i+trim)*step, float64(crop-1))
		whole := min(int(position), max(crop-2, 0))
		at[i], part[i] = top+whole, position-float64(whole)
	}
	return at, part
}

// addZoomed adds to out the plane from, zoomed around its middle by factor (1 or more) with linear interpolation.
func addZoomed(out, from []float64, h, w int, factor float64) {
	aty, party := zoomAxis(h, factor)
	atx, partx := zoomAxis(w, factor)
	for y := range h {
		upper, lower := from[aty[y]*w:], from[min(aty[y]+1, h-1)*w:]
		fy := party[y]
		for x := range w {
			left, right, fx := atx[x], min(atx[x]+1, w-1), partx[x]
			out[y*w+x] += (1-fy)*((1-fx)*upper[left]+fx*upper[right]) + fy*((1-fx)*lower[left]+fx*lower[right])
		}
	}
}
