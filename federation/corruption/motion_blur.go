package corruption

// motion_blur: the image as from a moving camera. The severity gives the radius and the deviation of the ray; its angle is random.
func init() {
	register(corruption{name: "motion_blur", apply: func(x *canvas, severity int, r draws) {
		radius := [MaxSeverity]int{6, 6, 6, 8, 9}[severity-1]
		sigma := [MaxSeverity]float64{1, 1.5, 2, 2, 2.5}[severity-1]
		motionBlur(x.v, x.h, x.w, radius, sigma, between(r, -45, 45))
	}})
}
