package torch

// #include "shim/fd.h"
import "C"

import (
	"unsafe"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

const (
	// gemmFlops is the number of multiplications from which calling C is faster.
	gemmFlops = 64 * 64 * 64
	// gemmRows is the number of rows of the result that one thread computes at a time. It is fixed, so that the result does
	// not depend on the number of processors.
	gemmRows = 128
)

// BLAS is gonum's BLAS with libtorch's for large matrix products, for blas64.Use. Large products are as fast as the BLAS
// that libtorch was built with, and all other operations are gonum's own.
type BLAS struct{ gonum.Implementation }

// UseBLAS makes all of gonum use BLAS if libtorch has a fast BLAS; the reference BLAS is no faster than gonum's own. It
// reports whether it did so.
func UseBLAS() bool {
	info, err := Describe()
	if err != nil || !info.FastBLAS {
		return false
	}
	blas64.Use(BLAS{})
	return true
}

// Dgemm implements blas.Float64Level3.
func (g BLAS) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	flipA, flipB := tA != blas.NoTrans, tB != blas.NoTrans
	rowsA, columnsA, rowsB, columnsB := m, k, k, n // as the matrices are stored
	if flipA {
		rowsA, columnsA = k, m
	}
	if flipB {
		rowsB, columnsB = n, k
	}
	if m < 1 || n < 1 || k < 1 || m*n*k < gemmFlops || !fits(a, rowsA, columnsA, lda) || !fits(b, rowsB, columnsB, ldb) || !fits(c, m, n, ldc) {
		g.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) // which also panics on wrong arguments
		return
	}
	parallel.For((m+gemmRows-1)/gemmRows, func(block int) {
		from := block * gemmRows
		at := from * lda
		if flipA {
			at = from
		}
		rows := min(gemmRows, m-from)
		if err := gemm(flipA, flipB, rows, n, k, alpha, a[at:], lda, b, ldb, beta, c[from*ldc:], ldc); err != nil {
			// The call failed before it wrote anything, for example for lack of memory. gonum's BLAS needs no memory.
			g.Implementation.Dgemm(tA, tB, rows, n, k, alpha, a[at:], lda, b, ldb, beta, c[from*ldc:], ldc)
		}
	})
}

// fits reports whether a matrix whose rows are ld values apart is within x.
func fits(x []float64, rows, columns, ld int) bool {
	return ld >= columns && len(x) >= (rows-1)*ld+columns
}

func gemm(flipA, flipB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) error {
	flag := func(x bool) C.int {
		if x {
			return 1
		}
		return 0
	}
	at := func(x []float64) *C.double { return (*C.double)(unsafe.Pointer(&x[0])) }
	return failure(C.fd_gemm(flag(flipA), flag(flipB), C.int64_t(m), C.int64_t(n), C.int64_t(k), C.double(alpha), at(a), C.int64_t(lda),
		at(b), C.int64_t(ldb), C.double(beta), at(c), C.int64_t(ldc)))
}
