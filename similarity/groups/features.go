package groups

import (
	"fmt"
	"math"
)

const (
	gridCells  = 4 // number of cells of the layout grid per side
	mostSizes  = 3 // largest number of sizes at which texture is measured: full, half, quarter
	filterSide = 3 // side of a texture filter
	filters    = filterSide*filterSide - 1
	minSide    = gridCells // shortest side of an image: one pixel per cell of the grid
)

// noiseFloor is one grey level squared. It is added to the energies of the filters, so that their logarithms are finite.
const noiseFloor = 1. / (255 * 255)

// Extractor computes the features of images of one shape. They depend only on the image: nothing is learnt and nothing is
// random. It is safe for concurrent use.
type Extractor struct {
	channels, height, width int
	mix                     []float32 // orthonormal DCT over the channels, channels x channels
	sizes                   int       // number of sizes at which texture is measured
}

// NewExtractor returns the extractor for images of channels x height x width pixels. Each side must have at least 4 pixels.
//
// Texture is measured at the sizes at which a filter of 3 x 3 pixels fits into the image: at full, half and quarter size if the
// shorter side has 12 pixels or more, at full and half size if it has 6 to 11, and only at full size if it has 4 or 5.
func NewExtractor(channels, height, width int) (*Extractor, error) {
	switch {
	case channels < 1:
		return nil, fmt.Errorf("features: an image has %d channels: use at least 1", channels)
	case height < minSide || width < minSide:
		return nil, fmt.Errorf("features: the images have %d x %d pixels, but the features need %d on each side: use larger images",
			height, width, minSide)
	}
	sizes := 1
	for side := min(height, width) / 2; side >= filterSide && sizes < mostSizes; side /= 2 {
		sizes++
	}
	return &Extractor{channels, height, width, dct(channels), sizes}, nil
}

// Len returns the number of features d of an image: 40 per channel if each side has 12 pixels or more, otherwise 32 or 24.
func (e *Extractor) Len() int { return e.channels * (gridCells*gridCells + e.sizes*filters) }

// Features writes the features of one image to out, which has length Len. pixels holds the image, channels x height x width,
// as bytes 0..255, which represent 0..1.
//
// The channels are mixed by an orthonormal DCT. For colour images this gives the brightness and two colour differences. For
// each mixed channel, the features are
//
//	layout   the means of a grid of 4 x 4 cells
//	texture  log(mean_p r_f(p)^2 + 1/255^2) at full, half and quarter size, if a filter fits, where r_f is the response
//	         of each of the eight 3 x 3 DCT filters f that are not constant, and p runs over the positions at which the filter is
//	         inside the image
//
// The order of the features is [cell][channel], then [size][channel][filter].
func (e *Extractor) Features(pixels []byte, out []float64) error {
	if len(pixels) != e.channels*e.height*e.width || len(out) != e.Len() {
		return fmt.Errorf("features: there are %d pixels and space for %d features, but the images have %d x %d x %d pixels and %d features",
			len(pixels), len(out), e.channels, e.height, e.width, e.Len())
	}
	area := e.height * e.width
	for k := range e.channels {
		plane := make([]float32, area)
		for c := range e.channels {
			w := e.mix[k*e.channels+c] / 255
			for p, x := range pixels[c*area : (c+1)*area] {
				plane[p] += w * float32(x)
			}
		}
		for cell := range gridCells * gridCells {
			out[cell*e.channels+k] = cellMean(plane, e.height, e.width, cell/gridCells, cell%gridCells)
		}
		height, width := e.height, e.width
		for s := range e.sizes {
			at := gridCells*gridCells*e.channels + (s*e.channels+k)*filters
			texture(plane, height, width, out[at:at+filters])
			plane, height, width = halve(plane, height, width)
		}
	}
	return nil
}

// cellMean returns the mean of a plane over the cell in row a and column b of the grid.
func cellMean(plane []float32, height, width, a, b int) float64 {
	cut := func(k, side int) int { return int(math.RoundToEven(float64(k*side) / gridCells)) }
	top, bottom, left, right := cut(a, height), cut(a+1, height), cut(b, width), cut(b+1, width)
	sum := 0.
	for y := top; y < bottom; y++ {
		for _, x := range plane[y*width+left : y*width+right] {
			sum += float64(x)
		}
	}
	return sum / float64((bottom-top)*(right-left))
}

// texture writes the log energies of the eight filters on a plane. Each filter is the product of two rows of the DCT, the first
// applied across the rows of the image and the second along them, so the second is applied only once for three filters.
func texture(plane []float32, height, width int, out []float64) {
	rows := dct(filterSide)
	w := width - filterSide + 1
	along := make([]float32, filterSide*height*w) // response of each of the DCT's rows along the image's rows
	for y := range height {
		line := plane[y*width : (y+1)*width]
		for j := range filterSide {
			a, b, c := rows[3*j], rows[3*j+1], rows[3*j+2]
			to := along[(j*height+y)*w : (j*height+y+1)*w]
			for x := range to {
				to[x] = a*line[x] + b*line[x+1] + c*line[x+2]
			}
		}
	}
	places := float64((height - filterSide + 1) * w)
	for f := range filters {
		i, j := (f+1)/filterSide, (f+1)%filterSide
		a, b, c := rows[3*i], rows[3*i+1], rows[3*i+2]
		from, energy := along[j*height*w:(j+1)*height*w], 0.
		for y := range height - filterSide + 1 {
			top, middle, bottom := from[y*w:(y+1)*w], from[(y+1)*w:(y+2)*w], from[(y+2)*w:(y+3)*w]
			var sum float32
			for x := range top {
				r := a*top[x] + b*middle[x] + c*bottom[x]
				sum += r * r
			}
			energy += float64(sum)
		}
		out[f] = math.Log(energy/places + noiseFloor)
	}
}

// halve returns a plane at half its size: the means of 2 x 2 pixels. An odd last row or column is left out.
func halve(plane []float32, height, width int) ([]float32, int, int) {
	h, w := height/2, width/2
	small := make([]float32, h*w)
	for y := range h {
		top, bottom := plane[2*y*width:], plane[(2*y+1)*width:]
		for x := range w {
			small[y*w+x] = (top[2*x] + bottom[2*x] + top[2*x+1] + bottom[2*x+1]) / 4
		}
	}
	return small, h, w
}

// dct returns the orthonormal DCT of n values, row by row: cos(π k (x + 1/2) / n), each row k of length one.
func dct(n int) []float32 {
	m := make([]float32, n*n)
	for k := range n {
		norm := math.Sqrt(2 / float64(n))
		if k == 0 {
			norm = math.Sqrt(1 / float64(n))
		}
		for x := range n {
			m[k*n+x] = float32(norm * math.Cos(math.Pi*float64(k)*(float64(x)+0.5)/float64(n)))
		}
	}
	return m
}
