package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/mat5"
	"feddag/internal/spelling"
)

// SVHN: 73,257 + 26,032 colour images of the digits of house numbers in street photographs, 32 x 32 (Netzer et al.,
// 2011). The files have label 10 for the digit 0; here its label is 0, as in torchvision.
func init() {
	register(source{
		name: "svhn", title: "SVHN", cacheable: always,
		options: map[string]string{"extra": "yes: use the 531,131 easier images of extra_32x32.mat for training too"},
		origin: origin{
			folder: "svhn", images: [2]int{73257, 26032},
			files: []download{
				{file: "train_32x32.mat", mirrors: svhnMirrors, size: 182040794, md5: "e26dedcc434d2e4c54c9b2d4a06d8373"},
				{file: "test_32x32.mat", mirrors: svhnMirrors, size: 64275384, md5: "eb5a983be6a315427106f1b164d9cef3"},
				{file: "extra_32x32.mat", mirrors: svhnMirrors, size: 1329278602, md5: "a93ce644f1a588dc4d68dda5feec44a7", optional: true},
			},
		},
		find: func(q query) ([]string, error) {
			return findPublished(q, []string{"svhn", "SVHN"}, svhnForms(q), "feddag data fetch svhn, or name their folder with --data-dir")
		},
		read: readSVHN,
	})
}

var svhnMirrors = []string{"http://ufldl.stanford.edu/housenumbers"}

func svhnForms(q query) []publication {
	files := []string{"train_32x32.mat", "test_32x32.mat"}
	if q.extra["extra"] == "yes" {
		files = append(files, "extra_32x32.mat")
	}
	return []publication{{folder: "svhn", files: files}}
}

func readSVHN(_ context.Context, files []string, q query) (*Set, error) {
	if text, ok := q.extra["extra"]; ok && text != "yes" && text != "no" {
		return nil, spelling.Unknown("option extra", text, []string{"no", "yes"})
	}
	s := &Set{
		Channels: 3, Height: 32, Width: 32, Classes: 10, ClassNames: strings.Split("0123456789", ""),
		Mean: []float32{.4377, .4438, .4728}, Std: []float32{.1980, .2010, .1970},
	}
	for _, file := range files {
		pixels, labels, err := readSVHNFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		split := &s.Train
		if filepath.Base(file) == "test_32x32.mat" {
			split = &s.Test
		}
		if split.Pixels == nil {
			split.Pixels = pixels
		} else {
			split.Pixels = append(split.Pixels, pixels...)
		}
		split.Labels = append(split.Labels, labels...)
	}
	return s, nil
}

// readSVHNFile reads the arrays X, 32 x 32 x 3 x N bytes, and y, N labels from 1 to 10.
func readSVHNFile(name string) (pixels, labels []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, errors.Unwrap(err)
	}
	defer f.Close()
	arrays, err := mat5.Read(f, 1<<32, "X", "y")
	if err != nil {
		return nil, nil, err
	}
	x, y := arrays["X"], arrays["y"]
	if len(x.Dims) < 3 || len(x.Dims) > 4 || !slices.Equal(x.Dims[:3], []int{32, 32, 3}) || !x.Bytes() {
		return nil, nil, fmt.Errorf("array X has the shape %v, but must be 32 x 32 x 3 x N bytes", x.Dims)
	}
	numbers, err := y.Ints(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, nil, fmt.Errorf("y: %w", err)
	}
	if n := len(x.Raw) / cifarPixels; n != len(numbers) || n == 0 {
		return nil, nil, fmt.Errorf("there are %d labels for %d images; fetch it again", len(numbers), n)
	}
	labels = make([]byte, len(numbers))
	for i, l := range numbers {
		if l < 1 || l > 10 {
			return nil, nil, fmt.Errorf("label %d of image %d is out of range: it must be 1 to 10", l, i)
		}
		labels[i] = byte(l % 10)
	}
	// The array is in column-major order, so the planes of an image already follow each other, but each is transposed.
	for plane := range slices.Chunk(x.Raw, 32*32) {
		for r := range 32 {
			for c := range r {
				plane[r*32+c], plane[c*32+r] = plane[c*32+r], plane[r*32+c]
			}
		}
	}
	return x.Raw, labels, nil
}
