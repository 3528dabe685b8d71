package corruption

// The corruption motion_blur shows the image as from a moving camera. The severity determines the radius and the standard
// deviation of the ray. Its angle is random.
func init() {
	register(corruption{name: "motion_blur", apply: func(x *canvas, severity int, r draws) {
		radius := [MaxSeverity]int{6, 6, 6, 8, 9}[severity-1]
		sigma := [MaxSeverity]float64{1, 1.5, 2, 2, 2.5}[severity-1]
		motionBlur(x.v, x.h, x.w, radius, sigma, between(r, -45, 45))
	}})
}
