package plot

import (
	"image"
	"image/color"
	"math"
)

// borderRed is the colour of the outlines of clusters on a heat map.
var borderRed = color.NRGBA{0xff, 0x3b, 0x30, 0xff}

// heatMissing is the index of the colour for NaN. The colours before it range from similar to dissimilar.
const heatMissing = uint8(255)

// heatColours returns 255 shades and a grey.
func heatColours() color.Palette {
	p := make(color.Palette, 256)
	for i := range int(heatMissing) {
		p[i] = viridis(float64(i) / float64(heatMissing-1))
	}
	p[heatMissing] = color.RGBA{0xbb, 0xbb, 0xbb, 0xff}
	return p
}

// heatKey returns an image of all shades, with the last shade at the top.
func heatKey(width int) image.Image {
	img := image.NewPaletted(image.Rect(0, 0, width, int(heatMissing)), heatColours())
	for i := range img.Pix {
		img.Pix[i] = heatMissing - 1 - uint8(i/img.Stride)
	}
	return img
}

// viridisStops are colours of matplotlib's viridis at equal distances.
var viridisStops = []color.RGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x47, 0x2d, 0x7b, 0xff}, {0x3b, 0x52, 0x8b, 0xff}, {0x2c, 0x72, 0x8e, 0xff},
	{0x21, 0x91, 0x8c, 0xff}, {0x28, 0xae, 0x80, 0xff}, {0x5e, 0xc9, 0x62, 0xff}, {0xad, 0xdc, 0x30, 0xff},
	{0xfd, 0xe7, 0x25, 0xff},
}

// viridis returns the colour for t from 0 to 1.
func viridis(t float64) color.RGBA {
	t *= float64(len(viridisStops) - 1)
	i := min(int(t), len(viridisStops)-2)
	a, b, f := viridisStops[i], viridisStops[i+1], t-float64(i)
	mix := func(p, q uint8) uint8 { return uint8(math.Round(float64(p) + f*(float64(q)-float64(p)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}
