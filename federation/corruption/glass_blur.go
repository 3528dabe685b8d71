package corruption

// The corruption glass_blur shows the image as if seen through frosted glass.
func init() { register(corruption{name: "glass_blur", apply: glassBlur}) }

// glassBlur blurs the image, replaces each pixel with a random pixel nearby, from the last to the first, and blurs again. The
// published program intends to swap the two pixels, but its statement copies one, and the published images have copies.
func glassBlur(x *canvas, severity int, r draws) {
	sigma := [MaxSeverity]float64{.05, .25, .4, .25, .4}[severity-1]
	const reach = 1
	times := [MaxSeverity]int{1, 1, 1, 2, 2}[severity-1]
	x.blur(sigma)
	toLevels(x.v)
	for range times {
		for row := x.h - reach; row > reach; row-- {
			for column := x.w - reach; column > reach; column-- {
				dx, dy := r.intN(2*reach)-reach, r.intN(2*reach)-reach
				for c := range x.c {
					plane := x.plane(c)
					plane[row*x.w+column] = plane[(row+dy)*x.w+column+dx]
				}
			}
		}
	}
	x.blur(sigma)
}
