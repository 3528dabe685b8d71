package corruption

import "math"

// Brightness, contrast and saturation.
func init() {
	// HSV with V + c
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
	// (x - mean) c + mean, the mean of each channel
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
	// HSV with S c + d
	register(corruption{name: "saturate", colour: true, apply: func(x *canvas, severity int, _ draws) {
		c := [MaxSeverity]float64{.3, .1, 1.5, 2, 2.5}[severity-1]
		d := [MaxSeverity]float64{0, 0, 0, .1, .2}[severity-1]
		x.eachHSV(func(h, s, v float64) (float64, float64, float64) { return h, clip(s*c + d), v })
	}})
}

// eachHSV changes the hue, saturation and value (0 to 1) of every pixel of a coloured image.
func (x *canvas) eachHSV(change func(h, s, v float64) (float64, float64, float64)) {
	red, green, blue := x.plane(0), x.plane(1), x.plane(2)
	for i := range red {
		red[i], green[i], blue[i] = hsvToRGB(change(rgbToHSV(red[i], green[i], blue[i])))
	}
}

func rgbToHSV(r, g, b float64) (h, s, v float64) {
	v = max(r, g, b)
	d := v - min(r, g, b)
	if d == 0 {
		return 0, 0, v
	}
	switch v { // of equal channels the last counts
	case b:
		h = 4 + (r-g)/d
	case g:
		h = 2 + (b-r)/d
	default:
		h = (g - b) / d
	}
	if h /= 6; h < 0 {
		h++
	}
	return h, d / v, v
}

func hsvToRGB(h, s, v float64) (r, g, b float64) {
	sector := math.Floor(h * 6)
	f := h*6 - sector
	p, q, t := v*(1-s), v*(1-f*s), v*(1-(1-f)*s)
	switch int(sector) {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
