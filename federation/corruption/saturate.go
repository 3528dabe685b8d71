package corruption

// The corruption saturate changes the saturation s of HSV to s c + d.
func init() {
	register(corruption{name: "saturate", colour: true, apply: func(x *canvas, severity int, _ draws) {
		c := [MaxSeverity]float64{.3, .1, 1.5, 2, 2.5}[severity-1]
		d := [MaxSeverity]float64{0, 0, 0, .1, .2}[severity-1]
		x.eachHSV(func(h, s, v float64) (float64, float64, float64) { return h, clip(s*c + d), v })
	}})
}
