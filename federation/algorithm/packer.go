package algorithm

import (
	"encoding/binary"
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// packer writes numbers and matrices one after another, for another process of the run. Values keep their bits.
type packer []byte

func (p *packer) uint(x uint64) { *p = binary.LittleEndian.AppendUint64(*p, x) }

func (p *packer) ints(x []int) {
	p.uint(uint64(len(x)))
	for _, v := range x {
		p.uint(uint64(v))
	}
}

func (p *packer) floats(x []float64) {
	for _, v := range x {
		p.uint(math.Float64bits(v))
	}
}

// dense writes a matrix; nil as one without rows.
func (p *packer) dense(m *mat.Dense) {
	if m == nil {
		p.uint(0)
		return
	}
	rows, columns := m.Dims()
	p.uint(uint64(rows))
	p.uint(uint64(columns))
	for i := range rows {
		p.floats(m.RawRowView(i))
	}
}

// symmetric writes the upper triangle of a matrix.
func (p *packer) symmetric(m *mat.SymDense) {
	n := m.SymmetricDim()
	p.uint(uint64(n))
	raw := m.RawSymmetric()
	for i := range n {
		p.floats(raw.Data[i*raw.Stride+i : i*raw.Stride+n])
	}
}

// unpacker reads what a packer has written. After the first error everything is empty.
type unpacker struct {
	rest []byte
	err  error
}

// count reads a number, of things of which the rest has room for at least so many.
func (u *unpacker) count() int {
	if n := u.uint(); n <= uint64(len(u.rest)) {
		return int(n)
	}
	u.fail()
	return 0
}

func (u *unpacker) fail() { u.rest, u.err = nil, errors.New("the numbers end too early") }

func (u *unpacker) uint() uint64 {
	if len(u.rest) < 8 {
		u.fail()
		return 0
	}
	x := binary.LittleEndian.Uint64(u.rest)
	u.rest = u.rest[8:]
	return x
}

func (u *unpacker) ints() []int {
	x := make([]int, u.count())
	for i := range x {
		x[i] = int(u.uint())
	}
	return x
}

func (u *unpacker) floats(n int) []float64 {
	if n > len(u.rest)/8 {
		u.fail()
		return nil
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Float64frombits(u.uint())
	}
	return x
}

func (u *unpacker) dense() *mat.Dense {
	rows := u.count()
	if rows == 0 {
		return nil
	}
	columns := u.count()
	if columns == 0 || rows > len(u.rest)/8/columns {
		u.fail()
		return nil
	}
	return mat.NewDense(rows, columns, u.floats(rows*columns))
}

func (u *unpacker) symmetric() *mat.SymDense {
	n := u.count()
	if n == 0 || n > len(u.rest) || n*(n+1)/2 > len(u.rest)/8 {
		u.fail()
		return nil
	}
	full := make([]float64, n*n)
	for i := range n {
		copy(full[i*n+i:(i+1)*n], u.floats(n-i))
	}
	return mat.NewSymDense(n, full)
}
