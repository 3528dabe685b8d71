package report

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// WriteNPY writes m, N x N, for numpy.load: format 1.0, float64, C order.
func (d *Dir) WriteNPY(name string, m *mat.SymDense) error {
	return d.WriteFile(name, func(w io.Writer) error { return writeNPY(w, m) })
}

func writeNPY(w io.Writer, m mat.Symmetric) error {
	n := m.SymmetricDim()
	header := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", n, n)
	// The data begins at a multiple of 64: magic 6, version 2, length 2,
	// header, newline.
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	head := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(head[8:], uint16(len(header)))
	if _, err := w.Write(append(head, header...)); err != nil {
		return err
	}
	row := make([]byte, 8*n)
	for i := range n {
		for j := range n {
			binary.LittleEndian.PutUint64(row[8*j:], math.Float64bits(m.At(i, j)))
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}
