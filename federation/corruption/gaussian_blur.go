package corruption

// The corruption gaussian_blur convolves every channel with a Gaussian.
func init() {
	register(corruption{name: "gaussian_blur", apply: func(x *canvas, severity int, _ draws) {
		x.blur([MaxSeverity]float64{.4, .6, .7, .8, 1}[severity-1])
	}})
}

// blur convolves every channel with a Gaussian of standard deviation sigma pixels.
func (x *canvas) blur(sigma float64) {
	for c := range x.c {
		gaussianBlur(x.plane(c), x.h, x.w, sigma, 4, nearestEdge)
	}
}
