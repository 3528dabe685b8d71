package data

import (
	"fmt"
	"math"
	"slices"

	"feddag/internal/npy"
	"feddag/internal/spelling"
)

// pixelScales are the scales of images that other programs store as numbers, each with the factor and the offset that convert
// values to pixels from 0 to 255.
var pixelScales = map[string][2]float64{
	"bytes":    {1, 0},
	"unit":     {255, 0},
	"inverted": {-255, 255}, // 1 is black
	"half":     {127.5, 127.5},
}

// pixelTolerance is the largest distance of a pixel from a whole number. It is far above the rounding errors of float32, and
// below the distances that a wrong scale gives.
const pixelTolerance = 0.02

// scaleOption returns the option scale.
func scaleOption(q query, usual string) (string, error) {
	scale, given := q.extra["scale"]
	if !given {
		return usual, nil
	}
	if _, ok := pixelScales[scale]; !ok {
		return "", spelling.Unknown("option scale", scale, sortedKeys(pixelScales))
	}
	return scale, nil
}

// pixelOf returns the pixel for a value on a scale.
func pixelOf(v float64, scale string) (byte, error) {
	f := pixelScales[scale]
	p := v*f[0] + f[1]
	whole := math.Round(p)
	if !(math.Abs(p-whole) <= pixelTolerance) || whole < 0 || whole > 255 { // also for NaN
		return 0, fmt.Errorf("the value %v is not a pixel on the scale %s (option scale)", v, scale)
	}
	return byte(whole), nil
}

// appendPixels appends the pixels of an array whose values are on a scale.
func appendPixels(to []byte, a *npy.Array, scale string) ([]byte, error) {
	if b, ok := a.Data.([]uint8); ok && scale == "bytes" {
		return append(to, b...), nil
	}
	if data, ok := a.Data.([]float32); ok {
		return appendValues(to, data, scale)
	}
	return appendValues(to, a.Float64s(), scale)
}

func appendValues[T float32 | float64](to []byte, values []T, scale string) ([]byte, error) {
	to = slices.Grow(to, len(values))
	for i, v := range values {
		p, err := pixelOf(float64(v), scale)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		to = append(to, p)
	}
	return to, nil
}
