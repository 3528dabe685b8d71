package corruption

// The corruption contrast is (x - mean) c + mean, with the mean of each channel.
func init() {
	register(corruption{name: "contrast", apply: func(x *canvas, severity int, _ draws) {
		c := [MaxSeverity]float64{.75, .5, .4, .3, .15}[severity-1]
		for ch := range x.c {
			plane := x.plane(ch)
			mean := 0.0
			for _, v := range plane {
				mean += v
			}
			mean /= float64(len(plane))
			for i, v := range plane {
				plane[i] = (v-mean)*c + mean
			}
		}
	}})
}
