package corruption

// The corruption brightness is V + c, where V is the value of the pixel in HSV.
func init() {
	register(corruption{name: "brightness", apply: func(x *canvas, severity int, _ draws) {
		c := [MaxSeverity]float64{.05, .1, .15, .2, .3}[severity-1]
		if x.c == 1 {
			for i, v := range x.v {
				x.v[i] = clip(v + c)
			}
			return
		}
		x.eachHSV(func(h, s, v float64) (float64, float64, float64) { return h, s, clip(v + c) })
	}})
}
