package corruption

// The corruption speckle_noise is x + x N(0, c^2), for each value of each channel.
func init() {
	register(corruption{name: "speckle_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.06, .1, .12, .16, .2}[severity-1]
		for i := range x.v {
			x.v[i] += x.v[i] * c * r.normal()
		}
	}})
}
