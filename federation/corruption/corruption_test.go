package corruption

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"feddag/internal/errtest"
	"feddag/internal/npy"
	"feddag/internal/stream"
)

// replay returns recorded numbers, whatever distribution is requested.
type replay struct {
	values []float64
	at     int
}

func (d *replay) next() float64 {
	d.at++
	if d.at > len(d.values) {
		return math.NaN()
	}
	return d.values[d.at-1]
}
func (d *replay) normal() float64         { return d.next() }
func (d *replay) uniform() float64        { return d.next() }
func (d *replay) intN(int) int            { return int(d.next()) }
func (d *replay) poisson(float64) float64 { return d.next() }

// This test compares with the published formulae, computed by the libraries of the published images
// (testdata/make_corruptions.py). With the same random numbers every corruption gives the same images with every severity, in
// colour and in grey, except for rounding.
func TestCorruptionsAgainstReference(t *testing.T) {
	arrays := readNPZ(t, "testdata/corruptions.npz")
	// These are the largest difference in levels, and the largest mean difference, that rounding explains. It is one level if a
	// value is a whole number except for the rounding of float32 on either side, and slightly more after JPEG's transform in
	// whole numbers.
	tolerance := map[string]struct {
		most int
		mean float64
	}{
		"jpeg_compression": {2, 0.06},
		"defocus_blur":     {1, 0.13},
		"motion_blur":      {1, 0.06},
	}
	for _, kind := range []string{"colour", "grey"} {
		image := arrays[kind+"/image"]
		c, h, w := image.Shape[0], image.Shape[1], image.Shape[2]
		for _, name := range NamesFor(c) {
			for severity := 1; severity <= MaxSeverity; severity++ {
				key := fmt.Sprintf("%s/%s/%d", kind, name, severity)
				want := arrays[key]
				if want == nil {
					t.Errorf("%s is not in the reference", key)
					continue
				}
				d := &replay{}
				for _, from := range []string{key + "/draws", kind + "/" + name + "/draws"} {
					if a := arrays[from]; a != nil {
						d.values = a.Float64s()
						break
					}
				}
				x := newCanvas(image.Data.([]uint8), c, h, w)
				corruptions[name].apply(x, severity, d)
				most, sum := 0, 0
				for i, v := range x.v {
					diff := int(level(v)) - int(want.Data.([]uint8)[i])
					most, sum = max(most, diff, -diff), sum+max(diff, -diff)
				}
				limit, ok := tolerance[name]
				if !ok {
					limit.most, limit.mean = 1, 0.05
				}
				mean := float64(sum) / float64(len(x.v))
				t.Logf("%s: largest difference %d levels, mean %.4f", key, most, mean)
				if most > limit.most || mean > limit.mean {
					t.Errorf("%s: differs by up to %d levels, %.3f in the mean", key, most, mean)
				}
				if d.at > len(d.values) || (severity == MaxSeverity && d.at != len(d.values)) {
					t.Errorf("%s: took %d of %d random numbers", key, d.at, len(d.values))
				}
			}
		}
	}
}

// readNPZ reads all arrays of an .npz.
func readNPZ(t *testing.T, path string) map[string]*npy.Array {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := npy.ReadZip(bytes.NewReader(b), int64(len(b)), func(string) (int, error) { return 1 << 24, nil })
	if err != nil {
		t.Fatal(err)
	}
	return arrays
}

// noisyImage returns an image of any shape.
func noisyImage(seed uint64, n int) []byte {
	r := stream.New(seed, "test/image")
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(128 + 100*math.Sin(float64(i)/9) + 20*r.Float64())
	}
	return b
}

// corrupt returns the view v of an image, with noise from a seed.
func corrupt(image []byte, c, h, w int, v View, seed uint64) []byte {
	out := make([]byte, len(image))
	v.Apply(out, image, c, h, w, stream.New(seed, "test/corruption"))
	return out
}

// Equal seeds give equal images, the given image does not change, random corruptions depend on the seed, and every shape works.
func TestCorruptIsPure(t *testing.T) {
	random := map[string]bool{
		"gaussian_noise": true, "shot_noise": true, "impulse_noise": true, "speckle_noise": true, "glass_blur": true,
		"motion_blur": true, "fog": true, "snow": true, "spatter": true, "elastic_transform": true,
	}
	for _, shape := range [][3]int{{1, 1, 1}, {3, 1, 1}, {1, 1, 7}, {3, 2, 3}, {1, 5, 2}, {3, 17, 30}, {1, 28, 28}, {3, 32, 32}, {3, 64, 64}} {
		c, h, w := shape[0], shape[1], shape[2]
		image := noisyImage(1, c*h*w)
		given := bytes.Clone(image)
		for _, name := range NamesFor(c) {
			for severity := 1; severity <= MaxSeverity; severity++ {
				v := View{name, severity}
				if err := errors.Join(v.Check(), v.CheckImages(c, h, w)); err != nil {
					t.Fatal(err)
				}
				one, again, other := corrupt(image, c, h, w, v, 1), corrupt(image, c, h, w, v, 1), corrupt(image, c, h, w, v, 2)
				switch {
				case !bytes.Equal(one, again):
					t.Errorf("%v: equal seeds, different images", v)
				case h >= 28 && random[name] == bytes.Equal(one, other):
					t.Errorf("%v of %v: does the seed matter? %v", v, shape, !random[name])
				case h >= 28 && bytes.Equal(one, image):
					t.Errorf("%v of %v does nothing", v, shape)
				}
			}
		}
		if !bytes.Equal(image, given) {
			t.Fatalf("the image of %v given was changed", shape)
		}
	}
}

// The mean square difference increases with the severity, from 1 to 5. (Three corruptions are not ordered in the published
// constants: saturate changes from grey to vivid colours, spatter from water to mud, and elastic from skew to ripples.)
func TestSeveritiesRise(t *testing.T) {
	for _, kind := range []string{"colour", "grey"} {
		image := readNPZ(t, "testdata/corruptions.npz")[kind+"/image"]
		c, h, w := image.Shape[0], image.Shape[1], image.Shape[2]
		for _, name := range NamesFor(c) {
			if name == "saturate" || name == "spatter" || name == "elastic_transform" {
				continue
			}
			last := 0.0
			for _, severity := range []int{1, 5} {
				square := 0.0
				for seed := range uint64(8) {
					for i, b := range corrupt(image.Data.([]uint8), c, h, w, View{name, severity}, seed) {
						d := float64(b) - float64(image.Data.([]uint8)[i])
						square += d * d
					}
				}
				if square <= last {
					t.Errorf("%s %s: severity 5 spoils less than 1: %v, %v", kind, name, square, last)
				}
				last = square
			}
		}
	}
}

func TestCorruptBad(t *testing.T) {
	for _, c := range []struct {
		name    string
		v       View
		c, h, w int
		words   []string
	}{
		{"unknown", View{"frog", 1}, 1, 2, 2, []string{"frog", "did you mean fog?"}},
		{"frost", View{"frost", 1}, 1, 2, 2, []string{"frost", "known"}},
		{"severity 0", View{"fog", 0}, 1, 2, 2, []string{"severity 0", "1 to 5"}},
		{"severity 6", View{"fog", 6}, 1, 2, 2, []string{"severity 6"}},
		{"two channels", View{"fog", 1}, 2, 2, 2, []string{"2 x 2 x 2"}},
		{"nothing", View{"fog", 1}, 1, 0, 2, []string{"1 x 0 x 2"}},
		{"grey", View{"saturate", 1}, 1, 2, 2, []string{"saturate", "grey"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.v.Check()
			if err == nil {
				err = c.v.CheckImages(c.c, c.h, c.w)
			}
			errtest.Want(t, err, c.words...)
		})
	}
	if n := len(Names()); n != 18 {
		t.Errorf("%d corruptions, must be the 19 of CIFAR-10-C but frost", n)
	}
}

// The mean and the variance of a Poisson variate equal its parameter. The test allows five standard errors, for parameters on
// both sides of the boundary between the two methods.
func TestPoisson(t *testing.T) {
	const draws = 20000
	for _, mean := range []float64{0.01, 1, 9.9, 10, 50, 500} {
		r := rand.New(rand.NewChaCha8([32]byte{1}))
		var sum, square float64
		for range draws {
			k := poisson(r, mean)
			if k < 0 || k != math.Floor(k) {
				t.Fatalf("mean %v: drew %v", mean, k)
			}
			sum += k
			square += (k - mean) * (k - mean)
		}
		if z := (sum/draws - mean) / math.Sqrt(mean/draws); math.Abs(z) > 5 {
			t.Errorf("mean %v: sample mean %v", mean, sum/draws)
		}
		// The variance of (k-m)^2 is m + 2m^2.
		if z := (square/draws - mean) / math.Sqrt((mean+2*mean*mean)/draws); math.Abs(z) > 5 {
			t.Errorf("mean %v: sample variance %v", mean, square/draws)
		}
	}
	if k := poisson(rand.New(rand.NewChaCha8([32]byte{})), 0); k != 0 {
		t.Errorf("mean 0: %v", k)
	}
}

func BenchmarkCorrupt(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			image := noisyImage(1, 3*32*32)
			for i := range b.N {
				corrupt(image, 3, 32, 32, View{name, 3}, uint64(i))
			}
		})
	}
}
