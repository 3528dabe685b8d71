package data

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"feddag/internal/spelling"
)

// filters are the ways to resize an image. Each has a function that returns the weight of source pixel x (0-based, not yet
// normalised) for the target pixel whose centre is at source position center, where one target pixel covers scale source
// pixels, and the distance from the centre beyond which all weights are zero.
var filters = map[string]struct {
	weight func(x int, center, scale float64) float64
	reach  func(scale float64) float64
}{
	// bilinear is a triangle, which is two target pixels wide when the image shrinks. It equals PIL's BILINEAR, and
	// with it torchvision's Resize of a PIL image, bit for bit.
	"bilinear": {
		func(x int, center, scale float64) float64 {
			return max(0, 1-math.Abs(float64(x)+0.5-center)/max(1, scale))
		},
		func(scale float64) float64 { return max(1, scale) },
	},
	// area is the mean of the source pixels that a target pixel covers, weighted by the covered part of each: OpenCV's
	// INTER_AREA for images that shrink.
	"area": {
		func(x int, center, scale float64) float64 {
			return max(0, min(float64(x)+1, center+scale/2)-max(float64(x), center-scale/2))
		},
		func(scale float64) float64 { return scale/2 + 1 },
	},
}

const weightBits = 22 // bits of the fraction of a weight, as in PIL

// taps are the weights for a row or column of pixels.
type taps struct {
	first   []int // the first source pixel of each target pixel
	weights [][]int32
}

func newTaps(from, to int, filter string) taps {
	f := filters[filter]
	t := taps{make([]int, to), make([][]int32, to)}
	scale := float64(from) / float64(to)
	for i := range to {
		center := (float64(i) + 0.5) * scale
		reach := f.reach(scale)
		first, end := max(0, int(center-reach+0.5)), min(from, int(center+reach+0.5))
		weights, sum := make([]float64, end-first), 0.0
		for k := range weights {
			weights[k] = f.weight(first+k, center, scale)
			sum += weights[k]
		}
		t.first[i] = first
		for _, w := range weights {
			t.weights[i] = append(t.weights[i], int32(math.Round(w/sum*(1<<weightBits))))
		}
	}
	return t
}

// resize writes the three planes of an image in another size to dst, 3 x height x width. It stretches the image, because
// keeping its proportions would cut off a part. Rows are resized first and then columns, with values rounded to bytes in
// between, as in PIL.
func resize(dst []byte, width, height int, r raster, filter string) {
	across, down := newTaps(r.width, width, filter), newTaps(r.height, height, filter)
	rows := make([]byte, r.height*width)
	for p := range 3 {
		plane := r.planes[p*r.width*r.height : (p+1)*r.width*r.height]
		for y := range r.height {
			apply(rows[y*width:], 1, plane[y*r.width:], 1, across, r.width != width)
		}
		out := dst[p*width*height : (p+1)*width*height]
		for x := range width {
			apply(out[x:], width, rows[x:], width, down, r.height != height)
		}
	}
}

// apply writes the weighted sums of a line whose bytes are fromStep apart. If change is false, it copies the line.
func apply(to []byte, toStep int, from []byte, fromStep int, t taps, change bool) {
	for i, weights := range t.weights {
		if !change {
			to[i*toStep] = from[i*fromStep]
			continue
		}
		sum := int64(1) << (weightBits - 1)
		for k, w := range weights {
			sum += int64(w) * int64(from[(t.first[i]+k)*fromStep])
		}
		to[i*toStep] = byte(max(0, min(255, sum>>weightBits)))
	}
}

// imageOptions are the options of sets that consist of image files, for source.options.
var imageOptions = map[string]string{
	"size":     "WIDTHxHEIGHT or one number: resize every image to this (stretched)",
	"resize":   "how to resize: bilinear (like PIL and torchvision) or area (mean of the covered pixels)",
	"channels": "1 or 3 (default: 1 if no image has colours)",
	"exif":     "ignore the EXIF orientation, as torchvision's ImageFolder does (default), or apply it",
}

// parseImageOptions reads the values of imageOptions.
func parseImageOptions(q query) (o decodeOptions, err error) {
	o = decodeOptions{filter: "bilinear", progress: q.progress}
	if text, ok := q.extra["size"]; ok {
		if o.width, o.height, err = parseSize(text); err != nil {
			return o, err
		}
	}
	if filter, ok := q.extra["resize"]; ok {
		if _, known := filters[filter]; !known {
			return o, spelling.Unknown("option resize", filter, sortedKeys(filters))
		}
		if o.width == 0 {
			return o, fmt.Errorf("option resize=%s needs the option size too", filter)
		}
		o.filter = filter
	}
	if o.upright, err = exifOption(q, false); err != nil {
		return o, err
	}
	switch c := q.extra["channels"]; c {
	case "":
	case "1", "3":
		o.channels = int(c[0] - '0')
	default:
		return o, fmt.Errorf("option channels=%s: use 1 or 3", c)
	}
	return o, nil
}

// parseSize reads the option size.
func parseSize(text string) (width, height int, err error) {
	w, h, both := strings.Cut(strings.ToLower(text), "x")
	if !both {
		h = w
	}
	width, err = strconv.Atoi(w)
	if err == nil {
		height, err = strconv.Atoi(h)
	}
	if err != nil || width < 1 || height < 1 || width > 4096 || height > 4096 {
		return 0, 0, fmt.Errorf("option size=%s: use WIDTHxHEIGHT or one number, each from 1 to 4096", text)
	}
	return width, height, nil
}
