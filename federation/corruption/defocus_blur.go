package corruption

import "math"

// The corruption defocus_blur shows the image out of focus.
func init() { register(corruption{name: "defocus_blur", apply: defocusBlur}) }

// defocusBlur correlates every channel with a disk that is itself smoothed over three pixels.
func defocusBlur(x *canvas, severity int, _ draws) {
	radius := [MaxSeverity]float64{.3, .4, .5, 1, 1.5}[severity-1]
	sigma := [MaxSeverity]float64{.4, .5, .6, .2, .1}[severity-1]
	const reach = 3 // radius of the largest disk with its smoothing
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
