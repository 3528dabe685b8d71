package corruption

import "math"

// The corruption jpeg_compression is the image after it was compressed as JPEG with a low quality and read again. The entropy
// coding is lossless and is left out. The other steps are those of libjpeg, with which the published images were made: chroma
// at half the resolution, its interpolation when the image is read, and whole levels in between.
//
// Go's image/jpeg cannot replace this code. Its encoder rounds differently when it converts colours and averages chroma,
// which moves coefficients across the steps of the quantisation. Read with libjpeg's interpolation of chroma, its images
// differ from the reference by up to 9 of 255 levels, and by 1.33 on average (colour, quality 80, testdata/corruptions.npz).
// This code differs by up to 2 levels, and by 0.05 on average.
func init() {
	register(corruption{name: "jpeg_compression", apply: func(x *canvas, severity int, _ draws) {
		quality := [MaxSeverity]int{80, 65, 58, 50, 40}[severity-1]
		for i, v := range x.v {
			x.v[i] = math.Round(v * 255)
		}
		luma, chroma := quantisers(quality)
		if x.c == 1 {
			quantise(x.v, x.h, x.w, &luma)
		} else {
			jpegColour(x, &luma, &chroma)
		}
		for i, v := range x.v {
			x.v[i] = v / 255
		}
	}})
}

// These are the quantisation tables of ITU-T T.81, annex K, by rows.
var (
	lumaTable = [64]int{
		16, 11, 10, 16, 24, 40, 51, 61,
		12, 12, 14, 19, 26, 58, 60, 55,
		14, 13, 16, 24, 40, 57, 69, 56,
		14, 17, 22, 29, 51, 87, 80, 62,
		18, 22, 37, 56, 68, 109, 103, 77,
		24, 35, 55, 64, 81, 104, 113, 92,
		49, 64, 78, 87, 103, 121, 120, 101,
		72, 92, 95, 98, 112, 100, 103, 99,
	}
	chromaTable = [64]int{
		17, 18, 24, 47, 99, 99, 99, 99,
		18, 21, 26, 66, 99, 99, 99, 99,
		24, 26, 56, 99, 99, 99, 99, 99,
		47, 66, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
	}
)

// quantisers scales the quantisation tables to a quality from 1 to 100.
func quantisers(quality int) (luma, chroma [64]float64) {
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	for i := range luma {
		luma[i] = float64(min(max((lumaTable[i]*scale+50)/100, 1), 255))
		chroma[i] = float64(min(max((chromaTable[i]*scale+50)/100, 1), 255))
	}
	return luma, chroma
}

// jpegColour converts a colour image of levels to YCbCr, quantises it with chroma at half the resolution, and converts
// it back.
func jpegColour(x *canvas, luma, chroma *[64]float64) {
	red, green, blue := x.plane(0), x.plane(1), x.plane(2)
	n := x.h * x.w
	y, cb, cr := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range y {
		r, g, b := red[i], green[i], blue[i]
		y[i] = math.Round(luminance(r, g, b))
		cb[i] = math.Round(128 - 0.168735892*r - 0.331264108*g + 0.5*b)
		cr[i] = math.Round(128 + 0.5*r - 0.418687589*g - 0.081312411*b)
	}
	quantise(y, x.h, x.w, luma)
	h, w := (x.h+1)/2, (x.w+1)/2
	chromaOf := func(full []float64) []float64 {
		half := halve(full, x.h, x.w)
		quantise(half, h, w, chroma)
		return double(half, h, w, x.h, x.w)
	}
	cb, cr = chromaOf(cb), chromaOf(cr)
	for i := range y {
		b, r := cb[i]-128, cr[i]-128
		red[i] = whole(y[i] + 1.402*r)
		green[i] = whole(y[i] - 0.344136286*b - 0.714136286*r)
		blue[i] = whole(y[i] + 1.772*b)
	}
}

// whole rounds a value to the nearest level, 0 to 255.
func whole(v float64) float64 { return min(max(math.Round(v), 0), 255) }

// halve returns the means of two by two values. A mean that ends in one half is rounded down and up alternately.
func halve(full []float64, h, w int) []float64 {
	half := make([]float64, 0, (h+1)/2*((w+1)/2))
	for y := 0; y < h; y += 2 {
		for x := 0; x < w; x += 2 {
			below, right := min(y+1, h-1), min(x+1, w-1)
			sum := full[y*w+x] + full[y*w+right] + full[below*w+x] + full[below*w+right]
			half = append(half, math.Floor((sum+1+float64(x/2%2))/4))
		}
	}
	return half
}

// double interpolates a plane of half the height and width, vertically and then horizontally, with three parts of the nearer
// value and one part of the farther value.
func double(half []float64, h, w, height, width int) []float64 {
	full := make([]float64, height*width)
	for y := range height {
		near := half[y/2*w:]
		far := half[nearestEdge(y/2-1+y%2*2, h)*w:]
		column := func(x int) float64 { return 3*near[x] + far[x] }
		for x := range width {
			bias := 8 - float64(x%2)
			full[y*width+x] = math.Floor((3*column(x/2) + column(nearestEdge(x/2-1+x%2*2, w)) + bias) / 16)
		}
	}
	return full
}

// dct is the matrix of the orthonormal discrete cosine transform of 8 values.
var dct = func() (m [8][8]float64) {
	for k := range m {
		for i := range m[k] {
			m[k][i] = math.Cos(float64(2*i+1)*float64(k)*math.Pi/16) / 2
			if k == 0 {
				m[k][i] /= math.Sqrt2
			}
		}
	}
	return m
}()

// fine is the precision to which libjpeg rounds the transform of a row. It rounds the transform of a block to an eighth.
const fine = 8 * math.Sqrt2

// quantise rounds the cosine transform of every 8 x 8 block to multiples of the values of the table. Values are levels
// (0..255) before and after. Blocks that extend beyond the edge repeat the values at the edge.
func quantise(plane []float64, h, w int, table *[64]float64) {
	var block, half [8][8]float64
	for top := 0; top < h; top += 8 {
		for left := 0; left < w; left += 8 {
			for y := range block {
				row := plane[min(top+y, h-1)*w:]
				for x := range block[y] {
					block[y][x] = row[min(left+x, w-1)] - 128
				}
			}
			for y := range half { // rows
				for j := range half[y] {
					sum := 0.0
					for i, c := range dct[j] {
						sum += c * block[y][i]
					}
					half[y][j] = math.Floor(sum*fine+0.5) / fine
				}
			}
			for k := range block { // columns
				for j := range block[k] {
					sum := 0.0
					for i, c := range dct[k] {
						sum += c * half[i][j]
					}
					q := table[8*k+j]
					block[k][j] = math.Round(math.Floor(sum*8+0.5)/8/q) * q
				}
			}
			for k := range half {
				for x := range half[k] {
					sum := 0.0
					for j := range dct {
						sum += dct[j][x] * block[k][j]
					}
					half[k][x] = sum
				}
			}
			for y := range min(8, h-top) {
				for x := range min(8, w-left) {
					sum := 0.0
					for k := range dct {
						sum += dct[k][y] * half[k][x]
					}
					plane[(top+y)*w+left+x] = whole(sum + 128)
				}
			}
		}
	}
}
