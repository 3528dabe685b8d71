package corruption

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"feddag/internal/spelling"
)

// corruption is a registered corruption, one of the corruptions of CIFAR-10-C. Each has a file except frost, which needs
// photographs of ice and is left out.
//
// A constant that is a length in pixels is the published length for images of 32 x 32, whatever the size of the image. If
// the published constant is a share of 32, it is this share of the image's smaller side. Grey images are treated as colour
// images whose channels are equal, and any colour that a corruption adds is converted to grey.
type corruption struct {
	name string
	// colour says that the corruption needs three channels: it does nothing to a grey image.
	colour bool
	// apply corrupts x with a severity of 1 to 5. All random numbers are from r. The results are between 0 and 1, or are
	// clipped to this range.
	apply func(x *canvas, severity int, r draws)
}

// draws is the source of the random numbers of a corruption.
type draws interface {
	normal() float64              // a normal number of mean 0 and standard deviation 1
	uniform() float64             // a uniform number from 0 to below 1
	intN(n int) int               // a whole number from 0 to n-1
	poisson(mean float64) float64 // a Poisson number with the given mean
}

// randomDraws draws from a random stream.
type randomDraws struct{ r *rand.Rand }

func (d randomDraws) normal() float64              { return d.r.NormFloat64() }
func (d randomDraws) uniform() float64             { return d.r.Float64() }
func (d randomDraws) intN(n int) int               { return d.r.IntN(n) }
func (d randomDraws) poisson(mean float64) float64 { return poisson(d.r, mean) }

// between draws a uniform number from lo to hi.
func between(r draws, lo, hi float64) float64 { return lo + (hi-lo)*r.uniform() }

var corruptions = map[string]corruption{}

// register adds a corruption. The file of each corruption calls it in init. Two corruptions with the same name are a
// programming error.
func register(c corruption) {
	if _, dup := corruptions[c.name]; dup {
		panic("corruption: two corruptions named " + c.name)
	}
	corruptions[c.name] = c
}

// Names returns the registered corruptions, sorted.
func Names() []string { return slices.Sorted(maps.Keys(corruptions)) }

// NamesFor returns the registered corruptions, sorted, that change an image of 1 or 3 channels.
func NamesFor(channels int) []string {
	var names []string
	for _, name := range Names() {
		if channels == 3 || !corruptions[name].colour {
			names = append(names, name)
		}
	}
	return names
}

// View is the way in which a client sees its images: under a corruption with a severity.
type View struct {
	Corruption string `json:"corruption"` // one of Names
	Severity   int    `json:"severity"`   // 1 to 5
}

func (v View) String() string { return fmt.Sprintf("%s %d", v.Corruption, v.Severity) }

// MaxSeverity is the strongest severity; the weakest is 1.
const MaxSeverity = 5

// Check returns an error unless v has a registered corruption and a valid severity.
func (v View) Check() error {
	if _, ok := corruptions[v.Corruption]; !ok {
		return spelling.Unknown("corruption", v.Corruption, Names())
	}
	if v.Severity < 1 || v.Severity > MaxSeverity {
		return fmt.Errorf("severity %d of corruption %s: must be 1 to %d", v.Severity, v.Corruption, MaxSeverity)
	}
	return nil
}

// CheckImages returns an error unless v changes images of the given shape.
func (v View) CheckImages(channels, height, width int) error {
	switch {
	case channels != 1 && channels != 3, height < 1, width < 1:
		return fmt.Errorf("corruption %s: the images are %d x %d x %d, but must have 1 or 3 channels", v.Corruption, channels, height, width)
	case channels == 1 && corruptions[v.Corruption].colour:
		return fmt.Errorf("corruption %s does nothing to grey images; choose another one", v.Corruption)
	}
	return nil
}

// Apply writes the view v of an image to out, with random numbers from r. Both image and out have channels x height x width
// bytes, and they do not overlap. Check and CheckImages must have returned nil.
func (v View) Apply(out, image []byte, channels, height, width int, r *rand.Rand) {
	x := newCanvas(image, channels, height, width)
	corruptions[v.Corruption].apply(x, v.Severity, randomDraws{r})
	for i, v := range x.v {
		out[i] = level(v)
	}
}

// canvas is the image on which a corruption works: channels x height x width values from 0 (black) to 1.
type canvas struct {
	c, h, w int
	v       []float64
}

func newCanvas(image []byte, c, h, w int) *canvas {
	x := &canvas{c, h, w, make([]float64, c*h*w)}
	for i, b := range image {
		x.v[i] = float64(b) / 255
	}
	return x
}

// plane returns the values of one channel, height x width, as a view.
func (x *canvas) plane(c int) []float64 { return x.v[c*x.h*x.w : (c+1)*x.h*x.w] }

// grey returns the luminance of the image (ITU-R BT.601), height x width.
func (x *canvas) grey() []float64 {
	if x.c == 1 {
		return slices.Clone(x.v)
	}
	grey := make([]float64, x.h*x.w)
	red, green, blue := x.plane(0), x.plane(1), x.plane(2)
	for i := range grey {
		grey[i] = luminance(red[i], green[i], blue[i])
	}
	return grey
}

func luminance(red, green, blue float64) float64 { return .299*red + .587*green + .114*blue }

// colourOf returns a colour in the channels of the image.
func (x *canvas) colourOf(red, green, blue float64) []float64 {
	if x.c == 1 {
		return []float64{luminance(red, green, blue)}
	}
	return []float64{red, green, blue}
}

// level returns the byte for a value, which is clipped to 0..1, multiplied by 255 and rounded down, as in the published images.
func level(v float64) byte {
	if !(v > 0) { // also NaN
		return 0
	}
	return byte(min(v, 1) * 255)
}

// toLevels rounds every value down to a whole level.
func toLevels(values []float64) {
	for i, v := range values {
		values[i] = float64(level(v)) / 255
	}
}

// clip limits v to the range 0..1.
func clip(v float64) float64 { return min(max(v, 0), 1) }
