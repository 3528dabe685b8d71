package similarity

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"

	"feddag/internal/npy"
	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// SketchFile is an open file of sketches. Everything except the principal vectors is in memory. The vectors are read one class
// at a time, or all at once from a compressed .npz file.
type SketchFile struct {
	path     string
	counts   [][]int
	updates  [][]float64
	groups   []int         // true groups; nil if they are unknown
	pixels   int           // F
	rows     [][]vectorRow // rows of principal_vectors by class, sorted by client and position
	vectors  io.ReaderAt   // the data of principal_vectors
	elements npy.Header    // header of principal_vectors
	buffer   []float64     // memory of the stack
	archive  *npy.Archive
}

// maxElements is the largest number of elements of an array that is read as a whole. npy.Read allocates memory only for the
// bytes that the file has.
const maxElements = math.MaxInt / 8

// vectorRow is the client, the position in the basis and the row of a principal vector.
type vectorRow struct{ client, place, row int }

func (f *SketchFile) allCounts() [][]int { return f.counts }

func (f *SketchFile) gradients(share *bands, g triangle, tell teller) error {
	return gradientAngles(f.updates, share, g, tell)
}

// ClassCounts implements [Sketches]. The caller must not modify the counts.
func (f *SketchFile) ClassCounts() [][]int { return f.counts }

// FoundBy implements [SketchArchive].
func (f *SketchFile) FoundBy() string { return FoundBySimilarity }

// Cluster implements [Sketches], see [Cluster].
func (f *SketchFile) Cluster(o Options, progress Progress) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	r, err := clusterSource(f, nil, o, progress)
	if err != nil {
		return nil, fmt.Errorf("clustering %s: %w", f.path, err)
	}
	return r, nil
}

// Stability implements [Sketches], with random halves of the mask's coordinates: see [Stability].
func (f *SketchFile) Stability(r *Result, o Options, repeats int, progress Progress) (*Steadiness, error) {
	return Stability(f.updates, r, o, 0.5, repeats, progress)
}

// Groups returns the true group of each client, or nil if the file has no groups.
func (f *SketchFile) Groups() []int { return f.groups }

// Close closes the file. The results of earlier calls remain valid.
func (f *SketchFile) Close() error {
	if f.archive == nil {
		return nil
	}
	return f.archive.Close()
}

// OpenSketches opens sketches that WriteSketches or NumPy wrote: a folder or a .npz file of arrays of any numeric type. If
// an array is missing or has the wrong shape, or vectors do not fit the counts, the error names the array, or the client
// and class. The vectors themselves are checked when they are read.
func OpenSketches(path string) (*SketchFile, error) {
	f, err := openSketches(path)
	if err != nil {
		return nil, fmt.Errorf("sketches in %s: %w", path, err)
	}
	return f, nil
}

func openSketches(path string) (f *SketchFile, err error) {
	f = &SketchFile{path: path}
	defer func() {
		if err != nil {
			_ = f.Close()
			f = nil
		}
	}()
	if f.archive, err = npy.OpenArchive(path); err != nil {
		return f, err
	}
	open := f.archive.Open
	counts, err := readInts(open, countsArray, 0)
	if err != nil {
		return f, err
	}
	owner, err := readInts(open, ownerArray, 3)
	if err != nil {
		return f, err
	}
	data, err := open(updatesArray)
	if err != nil {
		return f, err
	}
	array, err := npy.Read(data, maxElements)
	if err != nil {
		return f, fmt.Errorf("%s: %w", updatesArray, err)
	}
	updates, err := array.Matrix()
	if err != nil {
		return f, fmt.Errorf("%s: %w", updatesArray, err)
	}
	n, _ := updates.Dims()
	if len(counts) != n || n == 0 {
		return f, fmt.Errorf("%s has %d clients and %s has %d: the numbers must be equal and at least 1", countsArray, len(counts), updatesArray, n)
	}
	f.counts = counts
	for i := range n {
		f.updates = append(f.updates, updates.RawRowView(i))
	}
	if f.groups, err = readGroups(open, n); err != nil {
		return f, err
	}
	if err := f.openVectors(open, len(owner)); err != nil {
		return f, err
	}
	return f, f.index(owner)
}

// readGroups reads the array true_groups of n clients, which may be absent.
func readGroups(open func(string) (*io.SectionReader, error), n int) ([]int, error) {
	r, err := open(groupsArray)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := npy.Read(r, maxElements)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", groupsArray, err)
	}
	groups, err := a.Ints(math.MinInt, math.MaxInt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", groupsArray, err)
	}
	if len(a.Shape) != 1 || len(groups) != n {
		return nil, fmt.Errorf("%s: the array has the shape %v, but there are %d clients: it needs one number per client", groupsArray, a.Shape, n)
	}
	return groups, nil
}

// readInts returns the rows of a matrix of whole numbers. columns is the number of columns, or 0 for any number above 0.
func readInts(open func(string) (*io.SectionReader, error), name string, columns int) ([][]int, error) {
	r, err := open(name)
	if err != nil {
		return nil, err
	}
	a, err := npy.Read(r, maxElements)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	flat, err := a.Ints(math.MinInt, math.MaxInt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(a.Shape) != 2 || a.Shape[1] == 0 || columns > 0 && a.Shape[1] != columns {
		return nil, fmt.Errorf("%s: the array has the shape %v: it needs rows of %d numbers", name, a.Shape, max(columns, 1))
	}
	rows := make([][]int, a.Shape[0])
	for i := range rows {
		rows[i] = flat[i*a.Shape[1] : (i+1)*a.Shape[1]]
	}
	return rows, nil
}

// openVectors reads the header of principal_vectors, which must have the given number of rows.
func (f *SketchFile) openVectors(open func(string) (*io.SectionReader, error), rows int) error {
	r, err := open(vectorsArray)
	if err != nil {
		return err
	}
	h, err := npy.ReadHeader(r)
	if err != nil {
		return fmt.Errorf("%s: %w", vectorsArray, err)
	}
	switch {
	case len(h.Shape) != 2 || h.Shape[0] != rows || rows > 0 && h.Shape[1] == 0:
		return fmt.Errorf("%s: the array has the shape %v, but %s has %d vectors", vectorsArray, h.Shape, ownerArray, rows)
	case h.Kind != 'f':
		return fmt.Errorf("%s: the elements have the type %s: save them as float64 or float32", vectorsArray, h.Descr())
	}
	f.pixels, f.elements = h.Shape[1], h
	f.vectors = io.NewSectionReader(r, int64(h.Length), math.MaxInt64-int64(h.Length))
	return nil
}

// index sorts the vectors by class, client and position, and checks that they fit the counts.
func (f *SketchFile) index(owner [][]int) error {
	classes := len(f.counts[0])
	f.rows = make([][]vectorRow, classes)
	for row, o := range owner {
		i, c := o[0], o[1]
		if i < 0 || i >= len(f.counts) || c < 0 || c >= classes {
			return fmt.Errorf("%s: row %d has client %d and class %d, but there are %d clients and %d classes", ownerArray, row, i, c, len(f.counts), classes)
		}
		f.rows[c] = append(f.rows[c], vectorRow{i, o[2], row})
	}
	for c, rows := range f.rows {
		slices.SortFunc(rows, func(a, b vectorRow) int {
			return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.place, b.place))
		})
		vectors := make([]int, len(f.counts))
		for _, v := range rows {
			if v.place != vectors[v.client] {
				return fmt.Errorf("client %d, class %d: the positions of its vectors must be 0, 1, ...: found %d instead of %d", v.client, c, v.place, vectors[v.client])
			}
			vectors[v.client]++
		}
		for i, p := range vectors {
			switch n := f.counts[i][c]; {
			case n < 0:
				return fmt.Errorf("client %d: class %d has %d samples", i, c, n)
			case (n > 0) != (p > 0):
				return fmt.Errorf("client %d: class %d has %d samples and %d principal vectors: either both must be 0 or neither", i, c, n, p)
			}
		}
	}
	return nil
}

// stack implements source.
func (f *SketchFile) stack(c int) (*mat.Dense, []int, error) {
	rows := f.rows[c]
	if len(rows) == 0 {
		return nil, nil, nil
	}
	if need := len(rows) * f.pixels; cap(f.buffer) < need {
		f.buffer = make([]float64, need)
	}
	stack := mat.NewDense(len(rows), f.pixels, f.buffer[:len(rows)*f.pixels])
	owner := make([]int, len(rows))
	width := f.elements.Size * f.pixels
	const most = 64 // largest number of adjacent rows that are read at once
	type part struct{ from, to int }
	var parts []part
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && to-from < most && rows[to].row == rows[from].row+to-from {
			to++
		}
		parts = append(parts, part{from, to})
		from = to
	}
	errs := make([]error, len(parts))
	parallel.For(len(parts), func(k int) {
		from, to := parts[k].from, parts[k].to
		text := make([]byte, (to-from)*width)
		if _, err := f.vectors.ReadAt(text, int64(rows[from].row)*int64(width)); err != nil {
			errs[k] = fmt.Errorf("client %d, class %d: its vectors cannot be read from %s: %w", rows[from].client, c, vectorsArray, err)
			return
		}
		for i := from; i < to; i++ {
			own := stack.RawRowView(i)
			f.elements.DecodeFloats(own, text[(i-from)*width:])
			owner[i] = rows[i].client
			if norm := floats.Norm(own, 2); !(math.Abs(norm-1) < unitTolerance) {
				errs[k] = fmt.Errorf("client %d, class %d: principal vector %d has length %g, not 1: send orthonormal columns", owner[i], c, rows[i].place, norm)
				return
			}
		}
	})
	for _, err := range errs { // the first error in order, whatever the number of cores
		if err != nil {
			return nil, nil, err
		}
	}
	return stack, owner, nil
}
