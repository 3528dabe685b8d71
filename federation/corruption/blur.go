package corruption

import "math"

// The five blurs.
func init() {
	register(corruption{name: "gaussian_blur", apply: func(x *canvas, severity int, _ draws) {
		x.blur([MaxSeverity]float64{.4, .6, .7, .8, 1}[severity-1])
	}})
	register(corruption{name: "glass_blur", apply: glassBlur})
	register(corruption{name: "defocus_blur", apply: defocusBlur})
	// Radius and deviation of the ray, whose angle is drawn.
	register(corruption{name: "motion_blur", apply: func(x *canvas, severity int, r draws) {
		radius := [MaxSeverity]int{6, 6, 6, 8, 9}[severity-1]
		sigma := [MaxSeverity]float64{1, 1.5, 2, 2, 2.5}[severity-1]
		motionBlur(x.v, x.h, x.w, radius, sigma, between(r, -45, 45))
	}})
	// The mean of the image and the image zoomed by 1, 1.01, 1.02, ... (The step is that of floating point: at 1.25 it
	// decides by how many pixels.)
	register(corruption{name: "zoom_blur", apply: func(x *canvas, severity int, _ draws) {
		zooms := [MaxSeverity]int{7, 12, 16, 21, 26}[severity-1]
		for c := range x.c {
			plane := x.plane(c)
			sum := make([]float64, len(plane))
			one := 1.0
			step := one + .01 - one
			for k := range zooms {
				addZoomed(sum, plane, x.h, x.w, one+step*float64(k))
			}
			for i := range plane {
				plane[i] = (plane[i] + sum[i]) / float64(zooms+1)
			}
		}
	}})
}

// blur is the Gaussian blur of every channel.
func (x *canvas) blur(sigma float64) {
	for c := range x.c {
		gaussianBlur(x.plane(c), x.h, x.w, sigma, 4, nearestEdge)
	}
}

// glassBlur blurs, replaces each pixel by a random one nearby, from the last to the first, and blurs again. (The
// published program means to swap the two, but its statement copies; its images are those of copies.)
func glassBlur(x *canvas, severity int, r draws) {
	sigma := [MaxSeverity]float64{.05, .25, .4, .25, .4}[severity-1]
	const reach = 1
	times := [MaxSeverity]int{1, 1, 1, 2, 2}[severity-1]
	x.blur(sigma)
	toLevels(x.v)
	for range times {
		for row := x.h - reach; row > reach; row-- {
			for column := x.w - reach; column > reach; column-- {
				dx, dy := r.intN(2*reach)-reach, r.intN(2*reach)-reach
				for c := range x.c {
					plane := x.plane(c)
					plane[row*x.w+column] = plane[(row+dy)*x.w+column+dx]
				}
			}
		}
	}
	x.blur(sigma)
}

// defocusBlur correlates with a disk, itself smoothed over three pixels.
func defocusBlur(x *canvas, severity int, _ draws) {
	radius := [MaxSeverity]float64{.3, .4, .5, 1, 1.5}[severity-1]
	sigma := [MaxSeverity]float64{.4, .5, .6, .2, .1}[severity-1]
	const reach = 3 // the largest disk and the smoothing
	const side = 2*reach + 1
	disk := make([]float64, side*side)
	inside := 0.0
	for i := range disk {
		dy, dx := float64(i/side-reach), float64(i%side-reach)
		if dx*dx+dy*dy <= radius*radius {
			disk[i] = 1
			inside++
		}
	}
	near := math.Exp(-1 / (2 * sigma * sigma))
	weights := [3]float64{near, 1, near}
	kernel := make([]float64, 9)
	for i := range kernel {
		kernel[i] = weights[i/3] * weights[i%3] / ((1 + 2*near) * (1 + 2*near)) / inside
	}
	correlate(disk, side, side, kernel)
	for i, v := range disk {
		disk[i] = float64(float32(v))
	}
	for c := range x.c {
		correlate(x.plane(c), x.h, x.w, disk)
	}
}
