package corruption

// The corruption gaussian_noise is x + N(0, c^2), for each value of each channel.
func init() {
	register(corruption{name: "gaussian_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.04, .06, .08, .09, .10}[severity-1]
		for i := range x.v {
			x.v[i] += c * r.normal()
		}
	}})
}
