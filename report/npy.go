package report

import (
	"bytes"
	"fmt"
	"io"

	"feddag/internal/npy"

	"gonum.org/v1/gonum/mat"
)

// WriteNPY writes m, an N x N matrix, as float64 in row-major order for numpy.load.
func (d *Dir) WriteNPY(name string, m *mat.SymDense) error {
	return d.WriteFile(name, func(w io.Writer) error {
		return npy.WriteMatrix(w, m)
	})
}

// readSquare reads a symmetric matrix. It returns nil if the matrix has more than the given number of rows.
func readSquare(r io.Reader, most int) (*mat.SymDense, error) {
	var head bytes.Buffer
	h, err := npy.ReadHeader(io.TeeReader(r, &head))
	if err != nil {
		return nil, err
	}
	if len(h.Shape) != 2 || h.Shape[0] != h.Shape[1] {
		return nil, fmt.Errorf("an array of shape %v: want as many rows as columns", h.Shape)
	}
	n := h.Shape[0]
	if n > most || n == 0 {
		return nil, nil
	}
	a, err := npy.Read(io.MultiReader(&head, r), n*n)
	if err != nil {
		return nil, err
	}
	values, ok := a.Data.([]float64)
	if !ok {
		return nil, fmt.Errorf("elements of type %s: want float64", h.Descr())
	}
	return mat.NewSymDense(n, values), nil
}
