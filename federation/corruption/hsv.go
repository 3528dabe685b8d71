package corruption

import "math"

// eachHSV changes the hue, saturation and value (0 to 1) of every pixel of a colour image.
func (x *canvas) eachHSV(change func(h, s, v float64) (float64, float64, float64)) {
	red, green, blue := x.plane(0), x.plane(1), x.plane(2)
	for i := range red {
		red[i], green[i], blue[i] = hsvToRGB(change(rgbToHSV(red[i], green[i], blue[i])))
	}
}

// rgbToHSV converts a colour from RGB to HSV; all values are from 0 to 1.
func rgbToHSV(r, g, b float64) (h, s, v float64) {
	v = max(r, g, b)
	d := v - min(r, g, b)
	if d == 0 {
		return 0, 0, v
	}
	switch v { // if channels are equal, the last one counts
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

// hsvToRGB converts a colour from HSV to RGB; all values are from 0 to 1.
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
