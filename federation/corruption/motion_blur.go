package corruption

// motion_blur: the image as from a moving camera. The radius and the deviation of the ray are given, its angle is drawn.
func init() {
	register(corruption{name: "motion_blur", apply: func(x *canvas, severity int, r draws) {
		radius := [MaxSeverity]int{6, 6, 6, 8, 9}[severity-1]
		sigma := [MaxSeverity]float64{1, 1.5, 2, 2, 2.5}[severity-1]
		motionBlur(x.v, x.h, x.w, radius, sigma, between(r, -45, 45))
	}})
}
