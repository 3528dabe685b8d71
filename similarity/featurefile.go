package similarity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"feddag/internal/npy"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// Features on disk are these arrays, as .npy files in a folder or together in one .npz file, as np.savez writes it:
//
//	feature_version   the version of the features and of the file, a single whole number
//	image_shape       channels, height and width of the images, whole numbers
//	feature_counts    images of each client, half and class, N x 2 x C, whole numbers
//	feature_means     the means of their features, N x 2 x C x d; the mean of a class without images is not read
//	feature_scatter   the sum over the clients of the scatter matrix of the features around the client's class means, d x d
//	description       a description of the features, UTF-8 text as bytes; the program does not read it
//
// and true_groups as for [Vectors].
const (
	versionArray     = "feature_version"
	shapeArray       = "image_shape"
	halfCountsArray  = "feature_counts"
	meansArray       = "feature_means"
	scatterArray     = "feature_scatter"
	descriptionArray = "description"
)

// featureVersion is the version of the features of package groups and of the arrays. Sketches of another version cannot be
// compared with these.
const featureVersion = 1

// WriteFeatures writes features to a folder, which it creates if needed, or to a file whose name ends in .npz. trueGroups are the
// true groups of the clients, or nil if they are unknown. Each file is complete or absent.
func WriteFeatures(path string, f *Features, trueGroups []int) error {
	if err := writeFeatures(path, f, trueGroups); err != nil {
		return fmt.Errorf("writing sketches to %s: %w", path, err)
	}
	return nil
}

func writeFeatures(path string, f *Features, trueGroups []int) error {
	if len(f.Sketches) == 0 {
		return fmt.Errorf("there are no clients")
	}
	n, d := len(f.Sketches), f.Scatter.SymmetricDim()
	if trueGroups != nil && len(trueGroups) != n {
		return fmt.Errorf("there are %d clients, but true groups for %d clients", n, len(trueGroups))
	}
	classes := len(f.Sketches[0].Counts[0])
	var counts []int64
	for i, s := range f.Sketches {
		for h := range groups.Halves {
			if rows, columns := s.Means[h].Dims(); len(s.Counts[h]) != classes || rows != classes || columns != d {
				return fmt.Errorf("client %d has %d counts and %d x %d means, but there are %d classes and %d features", i, len(s.Counts[h]), rows, columns, classes, d)
			}
			for _, k := range s.Counts[h] {
				counts = append(counts, int64(k))
			}
		}
	}
	means := func(w io.Writer) error {
		if err := npy.WriteHeader(w, "<f8", []int{n, groups.Halves, classes, d}); err != nil {
			return err
		}
		for _, s := range f.Sketches {
			for h := range groups.Halves {
				if err := npy.WriteElements(w, mat.DenseCopyOf(s.Means[h]).RawMatrix().Data); err != nil {
					return err
				}
			}
		}
		return nil
	}
	array := func(data any, shape ...int) func(io.Writer) error {
		return func(w io.Writer) error { return npy.Write(w, &npy.Array{Shape: shape, Data: data}) }
	}
	text := fmt.Sprintf("features %d of feddag for images of %v pixels: the means of a 4 x 4 grid and the log energies of 3 x 3 DCT filters; two random halves of each class", featureVersion, f.Shape)
	arrays := []named{
		{versionArray, array([]int64{featureVersion})},
		{shapeArray, array([]int64{int64(f.Shape.Channels), int64(f.Shape.Height), int64(f.Shape.Width)}, 3)},
		{halfCountsArray, array(counts, n, groups.Halves, classes)},
		{meansArray, means},
		{scatterArray, func(w io.Writer) error { return npy.WriteMatrix(w, f.Scatter) }},
		{descriptionArray, array([]uint8(text), len(text))},
	}
	if trueGroups == nil {
		return writeArrays(path, arrays, []string{groupsArray})
	}
	return writeArrays(path, append(arrays, named{groupsArray, array(wide(trueGroups), n)}), nil)
}

// wide converts numbers to int64.
func wide(x []int) []int64 {
	y := make([]int64, len(x))
	for i, v := range x {
		y[i] = int64(v)
	}
	return y
}

// featureArchive is a file or folder of features, which is completely in memory.
type featureArchive struct {
	Features
	groups  []int
	archive *npy.Archive
}

// FoundBy implements [SketchArchive].
func (f *featureArchive) FoundBy() string { return FoundByTest }

// Groups implements [SketchArchive].
func (f *featureArchive) Groups() []int { return f.groups }

// Close implements [SketchArchive].
func (f *featureArchive) Close() error { return f.archive.Close() }

// OpenArchive opens sketches of either kind that [WriteSketches], [WriteFeatures] or NumPy wrote: a folder or a .npz file. If an
// array is missing, truncated or of the wrong shape, it returns an error that names the array.
func OpenArchive(path string) (SketchArchive, error) {
	archive, err := npy.OpenArchive(path)
	if err != nil {
		return nil, fmt.Errorf("sketches in %s: %w", path, err)
	}
	_, err = archive.Open(versionArray)
	if errors.Is(err, fs.ErrNotExist) {
		_ = archive.Close() // it was only read
		return OpenSketches(path)
	}
	f := &featureArchive{archive: archive}
	if err == nil {
		err = f.read()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sketches in %s: %w", path, err), archive.Close())
	}
	return f, nil
}

// array reads an array and checks its shape, in which -1 stands for any length of at least 1.
func (f *featureArchive) array(name string, shape ...int) (*npy.Array, error) {
	r, err := f.archive.Open(name)
	if err != nil {
		return nil, err
	}
	a, err := npy.Read(r, maxElements)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fits := len(a.Shape) == len(shape)
	for k, n := range shape {
		fits = fits && (a.Shape[k] == n || n < 0 && a.Shape[k] > 0)
	}
	if !fits {
		return nil, fmt.Errorf("%s: the array has the shape %v, but it must be %s", name, a.Shape, shapeText(shape))
	}
	return a, nil
}

// shapeText returns a shape for messages, with "any" for -1.
func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "a single number"
	}
	text := ""
	for k, n := range shape {
		if k > 0 {
			text += " x "
		}
		if n < 0 {
			text += "any"
		} else {
			text += fmt.Sprint(n)
		}
	}
	return text
}

// ints reads an array of whole numbers of 0 or more.
func (f *featureArchive) ints(name string, shape ...int) ([]int, []int, error) {
	a, err := f.array(name, shape...)
	if err != nil {
		return nil, nil, err
	}
	x, err := a.Ints(0, math.MaxInt32)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, a.Shape, nil
}

// read reads and checks all arrays.
func (f *featureArchive) read() error {
	version, _, err := f.ints(versionArray)
	if err != nil {
		return err
	}
	if version[0] != featureVersion {
		return fmt.Errorf("%s is %d, but this program has version %d, and features of different versions cannot be compared: make the sketches again with this program",
			versionArray, version[0], featureVersion)
	}
	shape, _, err := f.ints(shapeArray, 3)
	if err != nil {
		return err
	}
	f.Shape = groups.Shape{Channels: shape[0], Height: shape[1], Width: shape[2]}
	d, err := f.Shape.Features()
	if err != nil {
		return fmt.Errorf("%s: %w", shapeArray, err)
	}
	counts, sizes, err := f.ints(halfCountsArray, -1, groups.Halves, -1)
	if err != nil {
		return err
	}
	n, classes := sizes[0], sizes[2]
	means, err := f.array(meansArray, n, groups.Halves, classes, d)
	if err != nil {
		return fmt.Errorf("%w (%s has %d clients and %d classes, and images of %v pixels have %d features)", err, halfCountsArray, n, classes, f.Shape, d)
	}
	scatter, err := f.array(scatterArray, d, d)
	if err != nil {
		return err
	}
	if f.groups, err = readGroups(f.archive.Open, n); err != nil {
		return err
	}
	x := means.Float64s()
	for i := range n {
		s := new(groups.Sketch)
		for h := range groups.Halves {
			at := i*groups.Halves + h
			s.Counts[h] = counts[at*classes : (at+1)*classes]
			s.Means[h] = mat.NewDense(classes, d, x[at*classes*d:(at+1)*classes*d])
		}
		f.Sketches = append(f.Sketches, s)
	}
	return f.readScatter(scatter.Float64s(), d)
}

// readScatter sets the scatter matrix, which must be symmetric.
func (f *featureArchive) readScatter(x []float64, d int) error {
	f.Scatter = mat.NewSymDense(d, nil)
	for a := range d {
		for b := a; b < d; b++ {
			v, w := x[a*d+b], x[b*d+a]
			if math.Abs(v-w) > 1e-9*(math.Abs(v)+math.Abs(w)) {
				return fmt.Errorf("%s: the entries of features %d and %d are %g and %g: the matrix must be symmetric", scatterArray, a, b, v, w)
			}
			f.Scatter.SetSym(a, b, v)
		}
	}
	return nil
}
