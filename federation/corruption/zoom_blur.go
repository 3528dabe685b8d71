package corruption

// The corruption zoom_blur is the mean of the image and the image zoomed by 1, 1.01, 1.02 and so on. The step is (1 + 0.01) - 1
// in floating-point arithmetic, as in the published program, because at a zoom of 1.25 its last bits decide the number of
// pixels by which the image grows.
func init() {
	register(corruption{name: "zoom_blur", apply: func(x *canvas, severity int, _ draws) {
		zooms := [MaxSeverity]int{7, 12, 16, 21, 26}[severity-1]
		for c := range x.c {
			plane := x.plane(c)
			sum := make([]float64, len(plane))
			one := 1.0
			step := one + .01 - one
			for k := range zooms {
				addZoomed(sum, plane, x.h, x.w, one+step*float64(k))
			}
			for i := range plane {
				plane[i] = (plane[i] + sum[i]) / float64(zooms+1)
			}
		}
	}})
}
