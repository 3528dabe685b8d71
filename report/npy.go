package report

import (
	"io"

	"feddag/internal/npy"

	"gonum.org/v1/gonum/mat"
)

// WriteNPY writes m, N x N, for numpy.load: float64, rows first.
func (d *Dir) WriteNPY(name string, m *mat.SymDense) error {
	return d.WriteFile(name, func(w io.Writer) error {
		return npy.WriteMatrix(w, m)
	})
}
