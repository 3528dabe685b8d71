package groups

import (
	"math"
	"testing"
)

// TestSmallImages checks the features of images that are too small for all sizes: their number, and that they equal the features
// by the definition.
func TestSmallImages(t *testing.T) {
	for side, want := range map[int]int{4: 24, 5: 24, 6: 32, 11: 32, 12: 40, 28: 40} {
		for _, channels := range []int{1, 3} {
			if got, err := (Shape{channels, side, 2 * side}).Features(); err != nil || got != channels*want {
				t.Errorf("images of %d pixels and %d channels have %d features (%v), want %d", side, channels, got, err, channels*want)
			}
		}
	}
	if _, err := (Shape{1, 3, 28}).Features(); err == nil {
		t.Error("images of 3 x 28 pixels have features")
	}
	if s := (Shape{3, 32, 16}).String(); s != "3 x 32 x 16" {
		t.Errorf("the shape is %q", s)
	}
	// The image is a ramp along the rows. Each cell is a column of pixels. Only the filter along the rows has a response, which
	// is the difference of two columns at a distance of two, divided by sqrt 2, at three positions.
	e, err := NewExtractor(1, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	pixels, out := make([]byte, 16), make([]float64, e.Len())
	for p := range pixels {
		pixels[p] = byte(10 * (p % 4))
	}
	if err := e.Features(pixels, out); err != nil {
		t.Fatal(err)
	}
	for k, got := range out {
		want := math.Log(noiseFloor)
		switch {
		case k < 16:
			want = float64(10*(k%4)) / 255
		case k == 16: // the filter that is constant down the columns and odd along the rows
			r := math.Sqrt(3) * (20. / 255) / math.Sqrt2
			want = math.Log(r*r + noiseFloor)
		}
		if math.Abs(got-want) > 1e-4 {
			t.Errorf("feature %d of a ramp is %g, want %g", k, got, want)
		}
	}
}
