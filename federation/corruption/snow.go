package corruption

import "math"

// The corruption snow whitens the image and adds flakes.
func init() { register(corruption{name: "snow", apply: snow}) }

// snow whitens the image and adds flakes, which are the largest values of noise that is zoomed in and blurred by motion down
// the image. The flakes are added twice, once unchanged and once rotated by 180 degrees.
func snow(x *canvas, severity int, r draws) {
	c := [MaxSeverity]struct {
		mean, deviation, zoom, threshold float64
		radius                           int
		sigma, keep                      float64
	}{
		{.1, .2, 1, .6, 8, 3, .95},
		{.1, .2, 1, .5, 10, 4, .9},
		{.15, .3, 1.75, .55, 10, 4, .9},
		{.25, .3, 2.25, .6, 12, 6, .85},
		{.3, .3, 1.25, .65, 14, 12, .8},
	}[severity-1]
	noise := make([]float64, x.h*x.w)
	for i := range noise {
		noise[i] = c.mean + c.deviation*r.normal()
	}
	flakes := make([]float64, x.h*x.w)
	addZoomed(flakes, noise, x.h, x.w, c.zoom)
	for i, v := range flakes {
		if v < c.threshold {
			flakes[i] = 0
		}
	}
	toLevels(flakes)
	motionBlur(flakes, x.h, x.w, c.radius, c.sigma, between(r, -135, -45))
	grey := x.grey()
	for ch := range x.c {
		plane := x.plane(ch)
		for i, v := range plane {
			white := math.Max(v, grey[i]*1.5+0.5)
			plane[i] = c.keep*v + (1-c.keep)*white + flakes[i] + flakes[len(flakes)-1-i]
		}
	}
}
