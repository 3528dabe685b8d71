package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"feddag/internal/npy"
	"feddag/internal/pickle"
	"feddag/internal/spelling"
)

// cifarSet is CIFAR-10 or CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 x 32. It is published as
// rows of bytes ("binary version") and as pickles ("python version", which torchvision keeps), in a folder or a
// .tar.gz.
type cifarSet struct {
	name, title string
	aliases     []string
	folders     []string // possible names of its folder in a directory of data sets
	binary      publication
	python      publication
	tests       int    // the number of files with test images, which are the last of a publication
	labels      int    // label bytes before the image in a row: 1, or 2 with the coarse label first
	key         string // key of the labels in a pickle
	coarseKey   string // key of the coarse labels; "" for none
	classNames  []string
	superclass  []uint8  // the coarse label of each label; nil for none
	superNames  []string // names of the coarse labels
	mean, std   []float32
	advice      string
	origin      origin
}

// cifarMirrors are the URLs of the folders in which its archives are published.
var cifarMirrors = []string{"https://www.cs.toronto.edu/~kriz"}

const (
	cifarPixels  = 3 * 32 * 32
	maxCIFARFile = 1 << 28 // bytes of a file; the training images of CIFAR-100 take 155 MB
)

// cifarSets are the registered sets of CIFAR, by name.
var cifarSets = map[string]*cifarSet{}

func registerCIFAR(x *cifarSet) {
	cifarSets[x.name] = x
	src := source{name: x.name, title: x.title, aliases: x.aliases, cacheable: packed, origin: x.origin, find: x.find, read: x.read}
	if x.superclass != nil {
		src.options = map[string]string{"labels": "fine (default) or coarse: the label is the superclass"}
	}
	register(src)
}

func (x *cifarSet) forms() []publication { return []publication{x.binary, x.python} }

func (x *cifarSet) find(q query) ([]string, error) {
	return findPublished(q, x.folders, x.forms(), x.advice)
}

// cifarBatch has the images and labels of one file.
type cifarBatch struct {
	pixels       []byte // N x 3 x 32 x 32
	fine, coarse []byte // N each; coarse is empty if there are no coarse labels
}

func (x *cifarSet) read(_ context.Context, files []string, q query) (*Set, error) {
	coarse := false
	switch text := q.extra["labels"]; text {
	case "", "fine":
	case "coarse":
		coarse = true
	default:
		return nil, spelling.Unknown("option labels", text, []string{"coarse", "fine"})
	}
	form, members, err := readPublished(files, x.forms(), maxCIFARFile)
	if err != nil {
		return nil, err
	}
	s := &Set{
		Channels: 3, Height: 32, Width: 32, Classes: len(x.classNames), ClassNames: slices.Clone(x.classNames),
		Mean: slices.Clone(x.mean), Std: slices.Clone(x.std), Superclass: slices.Clone(x.superclass), SuperclassNames: slices.Clone(x.superNames),
	}
	var super [2][]byte // coarse labels of the training and the test images
	tests := len(members) - x.tests
	for k, split := range []*Images{&s.Train, &s.Test} {
		size := 0
		for _, m := range [][]member{members[:tests], members[tests:]}[k] {
			size += len(m.bytes)
		}
		split.Pixels = make([]byte, 0, size)
	}
	for i, m := range members {
		read := x.readPickle
		if form.folder == x.binary.folder {
			read = x.readBinary
		}
		batch, err := read(m.bytes)
		if err == nil {
			err = x.check(batch)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.place, err)
		}
		k := 0
		split := &s.Train
		if i >= tests {
			k, split = 1, &s.Test
		}
		split.Pixels = append(split.Pixels, batch.pixels...)
		split.Labels = append(split.Labels, batch.fine...)
		super[k] = append(super[k], batch.coarse...)
		members[i].bytes = nil // frees the memory
	}
	if coarse {
		s.Train.Labels, s.Test.Labels = super[0], super[1]
		s.Classes, s.ClassNames, s.Superclass, s.SuperclassNames = len(s.SuperclassNames), s.SuperclassNames, nil, nil
	}
	return s, nil
}

// readBinary reads a file of the binary version: rows of labels and pixels.
func (x *cifarSet) readBinary(b []byte) (cifarBatch, error) {
	row := x.labels + cifarPixels
	if len(b) == 0 || len(b)%row != 0 {
		return cifarBatch{}, fmt.Errorf("truncated, or another file: %d bytes are not a whole number of rows of %d bytes; fetch it again", len(b), row)
	}
	var batch cifarBatch
	batch.pixels = make([]byte, 0, len(b)/row*cifarPixels)
	for r := range slices.Chunk(b, row) {
		batch.fine = append(batch.fine, r[x.labels-1])
		batch.coarse = append(batch.coarse, r[:x.labels-1]...)
		batch.pixels = append(batch.pixels, r[x.labels:]...)
	}
	return batch, nil
}

// readPickle reads a file of the python version: a dictionary.
func (x *cifarSet) readPickle(b []byte) (batch cifarBatch, err error) {
	object, err := pickle.Read(b)
	if err != nil {
		return batch, err
	}
	d, ok := object.(*pickle.Dict)
	if !ok {
		return batch, errors.New("the pickle has no dictionary")
	}
	a, ok := d.Items["data"].(*npy.Array)
	pixels, isBytes := []uint8(nil), false
	if ok {
		pixels, isBytes = a.Data.([]uint8)
	}
	if !isBytes || len(a.Shape) != 2 || a.Shape[1] != cifarPixels {
		return batch, fmt.Errorf("the pickle has no array data of N x %d bytes; fetch it again", cifarPixels)
	}
	batch.pixels = pixels
	if batch.fine, err = pickledLabels(d, x.key); err == nil && x.coarseKey != "" {
		batch.coarse, err = pickledLabels(d, x.coarseKey)
	}
	return batch, err
}

// pickledLabels returns the labels that are stored under a key, as a list or an array.
func pickledLabels(d *pickle.Dict, key string) ([]byte, error) {
	var numbers []int
	switch l := d.Items[key].(type) {
	case *pickle.List:
		for i, item := range l.Items {
			n, ok := item.(int64)
			if !ok {
				return nil, fmt.Errorf("%s: entry %d is not a whole number", key, i)
			}
			numbers = append(numbers, int(n))
		}
	case *npy.Array:
		var err error
		if numbers, err = l.Ints(math.MinInt, math.MaxInt); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	default:
		return nil, fmt.Errorf("the pickle has no list %s; fetch it again", key)
	}
	out := make([]byte, len(numbers))
	for i, n := range numbers {
		if n < 0 || n >= maxClasses {
			return nil, fmt.Errorf("%s: label %d of image %d is out of range", key, n, i)
		}
		out[i] = byte(n)
	}
	return out, nil
}

// check returns an error for a label out of range, for lists of different lengths, and for a coarse label that is not
// the superclass of the label.
func (x *cifarSet) check(b cifarBatch) error {
	n := len(b.pixels) / cifarPixels
	switch {
	case n == 0:
		return errors.New("the file has no images; fetch it again")
	case len(b.fine) != n || x.superclass != nil && len(b.coarse) != n:
		return fmt.Errorf("there are %d labels and %d coarse labels for %d images; fetch it again", len(b.fine), len(b.coarse), n)
	}
	for i, l := range b.fine {
		if int(l) >= len(x.classNames) {
			return fmt.Errorf("label %d of image %d is out of range: it must be below %d", l, i, len(x.classNames))
		}
		if x.superclass != nil && b.coarse[i] != x.superclass[l] {
			return fmt.Errorf("image %d with label %d (%s) has the coarse label %d, but it must be %d; fetch it again",
				i, l, x.classNames[l], b.coarse[i], x.superclass[l])
		}
	}
	return nil
}
