package corruption

// The corruption impulse_noise sets a share c of the values to 0 or 1, with equal probabilities (salt and pepper).
func init() {
	register(corruption{name: "impulse_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.01, .02, .03, .05, .07}[severity-1]
		for i := range x.v {
			if r.uniform() <= c {
				x.v[i] = salt(r.uniform())
			}
		}
	}})
}

// salt returns white for a uniform number of at most 1/2, and otherwise black.
func salt(u float64) float64 {
	if u <= 0.5 {
		return 1
	}
	return 0
}
