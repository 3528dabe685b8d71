package torch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// TestBLASAgreesWithGonum checks that products equal gonum's except for rounding, for every transposition, strides wider than
// the matrix, and several alpha and beta.
func TestBLASAgreesWithGonum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		return x
	}
	for _, size := range [][3]int{{64, 64, 64}, {300, 70, 130}, {129, 257, 33}, {1, 600, 600}, {600, 1, 600}, {700, 500, 1}, {7, 5, 3}} {
		m, n, k := size[0], size[1], size[2]
		for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				for _, scale := range [][2]float64{{1, 0}, {-0.5, 2}, {1, 1}, {0, 0.5}} {
					lda, ldb, ldc := k+3, n+2, n+5
					if tA == blas.Trans {
						lda = m + 3
					}
					if tB == blas.Trans {
						ldb = k + 2
					}
					a, b, c := random(max(m, k)*lda), random(max(k, n)*ldb), random(m*ldc)
					if scale[1] == 0 { // C is not read
						c[0] = math.NaN()
					}
					want := slices.Clone(c)
					BLAS{}.Dgemm(tA, tB, m, n, k, scale[0], a, lda, b, ldb, scale[1], c, ldc)
					gonum.Implementation{}.Dgemm(tA, tB, m, n, k, scale[0], a, lda, b, ldb, scale[1], want, ldc)
					for i, x := range c {
						if i%ldc >= n && math.Float64bits(x) != math.Float64bits(want[i]) {
							t.Fatalf("%v %v %c %c: wrote beside the result", size, scale, tA, tB)
						}
						if !(math.Abs(x-want[i]) <= 1e-11) && i%ldc < n {
							t.Fatalf("%v %v %c %c: entry %d,%d is %g, want %g", size, scale, tA, tB, i/ldc, i%ldc, x, want[i])
						}
					}
				}
			}
		}
	}
}

// TestBLASDoesNotDependOnProcessors checks that the number of processors changes no bit.
func TestBLASDoesNotDependOnProcessors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 500
	a := make([]float64, n*n)
	for i := range a {
		a[i] = r.NormFloat64()
	}
	product := func(processors int) []float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		c := make([]float64, n*n)
		BLAS{}.Dgemm(blas.NoTrans, blas.Trans, n, n, n, 1, a, n, a, n, 0, c, n)
		return c
	}
	want := product(1)
	for _, processors := range []int{2, 3, 5} {
		if !slices.Equal(product(processors), want) {
			t.Errorf("%d processors: another product", processors)
		}
	}
}

// TestBLASRefusesWhatDoesNotFit checks that operands whose sizes do not agree are refused by gonum.
func TestBLASRefusesWhatDoesNotFit(t *testing.T) {
	for name, call := range map[string]func(x []float64){
		"short A": func(x []float64) {
			BLAS{}.Dgemm(blas.NoTrans, blas.NoTrans, 64, 64, 64, 1, x[:99], 64, x, 64, 0, x, 64)
		},
		"stride": func(x []float64) { BLAS{}.Dgemm(blas.NoTrans, blas.NoTrans, 64, 64, 64, 1, x, 63, x, 64, 0, x, 64) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil {
					t.Error("no panic")
				} else if fmt.Sprint(p) == "" {
					t.Error("a panic that says nothing")
				}
			}()
			call(make([]float64, 64*64))
		})
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, f := range []int{784, 3072} {
		x, c := make([]float64, 1024*f), make([]float64, 512*512)
		for i := range x {
			x[i] = float64(i%17) / 17
		}
		for name, impl := range map[string]blas.Float64Level3{"libtorch": BLAS{}, "gonum": gonum.Implementation{}} {
			b.Run(fmt.Sprintf("%s/%d", name, f), func(b *testing.B) {
				for b.Loop() {
					impl.Dgemm(blas.NoTrans, blas.Trans, 512, 512, f, 1, x, f, x[512*f:], f, 0, c, 512)
				}
				b.ReportMetric(2*512*512*float64(f)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
