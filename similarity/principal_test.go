package similarity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"feddag/internal/stream"
)

// drawn returns n images of f random pixels.
func drawn(r *rand.Rand, n, f int) [][]byte {
	images := make([][]byte, n)
	for i := range images {
		images[i] = make([]byte, f)
		for j := range images[i] {
			images[i][j] = byte(r.IntN(256))
		}
	}
	return images
}

// spots returns n images of f pixels. Only pixel i of image i is set, so the pixels are the singular values.
func spots(n, f int, value func(i int) byte) [][]byte {
	images := make([][]byte, n)
	for i := range images {
		images[i] = make([]byte, f)
		images[i][i] = value(i)
	}
	return images
}

// halved returns the images with every 2 x 2 pixels averaged, which gives 196 pixels for 784.
func halved(images [][]byte) [][]byte {
	small := make([][]byte, len(images))
	for i, image := range images {
		small[i] = make([]byte, 196)
		for j := range small[i] {
			at := j/14*56 + j%14*2
			small[i][j] = byte((int(image[at]) + int(image[at+1]) + int(image[at+28]) + int(image[at+29])) / 4)
		}
	}
	return small
}

// TestPrincipalVectorsAgainstWholeSVD checks the vectors against the SVD of the whole matrix. It always checks the values. It
// checks the space if the last value differs from the next one, and each vector if its value differs from both neighbours.
func TestPrincipalVectorsAgainstWholeSVD(t *testing.T) {
	r := stream.New(1, "test")
	base := drawn(r, 4, 300)
	type test struct {
		images  [][]byte
		p, rank int
	}
	cases := map[string]test{
		"one image":           {drawn(r, 1, 784), 1, 1},
		"random, few images":  {drawn(r, 150, 300), 3, 3},
		"random, many images": {drawn(r, 500, 150), 5, 5},
		"random, all vectors": {drawn(r, 30, 50), 30, 30},
		"rank 4":              {slices.Repeat(base, 60), 10, 4},
		"rank 4, many images": {slices.Repeat(base, 100), 10, 4},
		"all values equal":    {spots(250, 300, func(int) byte { return 200 }), 3, 3},
		"repeated values":     {spots(250, 300, func(i int) byte { return []byte{250, 240, 20}[min(i/4, 2)] }), 6, 6},
		"clustered values":    {spots(250, 300, func(i int) byte { return byte(255 - i) }), 5, 5},
		"constant":            {spots(3, 3, func(int) byte { return 0 }), 2, 1},
	}
	t.Run("Fashion-MNIST", func(t *testing.T) {
		images, labels := fashion(t)
		var shirts [][]byte
		for i := 0; len(shirts) < 1000; i++ {
			if labels[i] == 6 {
				shirts = append(shirts, images[i])
			}
		}
		cases["images"] = test{shirts[:200], 2, 2}
		cases["images, many"] = test{halved(shirts), 10, 10}
	})
	for name, c := range cases {
		f, n := len(c.images[0]), len(c.images)
		u, err := PrincipalVectors(c.images, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if rows, columns := u.Dims(); rows != f || columns != c.rank {
			t.Errorf("%s: %d x %d, want %d x %d", name, rows, columns, f, c.rank)
			continue
		}
		again, _ := PrincipalVectors(c.images, c.p)
		if !mat.Equal(u, again) {
			t.Errorf("%s: a second call gives other vectors", name)
		}
		x := mat.NewDense(f, n, nil)
		for k, image := range c.images {
			for j, pixel := range image {
				x.Set(j, k, float64(pixel))
			}
		}
		if mat.Max(x) == 0 {
			continue // there are no singular vectors to compare with
		}
		var svd mat.SVD
		if !svd.Factorize(x, mat.SVDThin) {
			t.Fatalf("%s: no SVD", name)
		}
		var want, rest mat.Dense
		svd.UTo(&want)
		sigma := append(svd.Values(nil), 0)
		against(t, name, u, &want, sigma)

		var images mat.Dense // U'X has rows of lengths σ
		images.Mul(u.T(), x)
		for k := range c.rank {
			if d := math.Abs(floats.Norm(images.RawRowView(k), 2)-sigma[k]) / sigma[0]; d > 1e-12 {
				t.Errorf("%s: singular value %d is off by %g of the largest", name, k, d)
			}
		}
		rest.Mul(u.T(), u)
		for k := range c.rank {
			rest.Set(k, k, rest.At(k, k)-1)
		}
		if d := mat.Norm(&rest, 2); d > 1e-13 {
			t.Errorf("%s: U'U is off by %g", name, d)
		}
	}
}

// against compares the columns of u with those of want, singular vectors of the values sigma.
func against(t *testing.T, name string, u, want *mat.Dense, sigma []float64) {
	t.Helper()
	f, p := u.Dims()
	apart := func(k int) bool { return k < 0 || sigma[k]*sigma[k]-sigma[k+1]*sigma[k+1] > 1e-5*sigma[0]*sigma[0] }
	if apart(p - 1) {
		// |u - ww'u| is the sine of the angle of u and the space of w.
		var shadow, rest mat.Dense
		w := want.Slice(0, f, 0, p)
		shadow.Mul(w.T(), u)
		rest.Mul(w, &shadow)
		rest.Sub(&rest, u)
		if d := mat.Norm(&rest, 2); d > 1e-8 {
			t.Errorf("%s: the space is at a sine of %g from the SVD's", name, d)
		}
	}
	for k := range p {
		if !apart(k-1) || !apart(k) {
			continue
		}
		a, b := mat.Col(nil, k, u), mat.Col(nil, k, want)
		floats.AddScaled(a, -math.Copysign(1, floats.Dot(a, b)), b)
		if d := floats.Norm(a, 2); d > 1e-8 {
			t.Errorf("%s: vector %d differs by %g from the SVD's", name, k, d)
		}
	}
}

// TestTopEigen checks that eigenvalues that repeat, cluster or vanish, in a basis without zeros, are all found by the
// Krylov method.
func TestTopEigen(t *testing.T) {
	const m = 300
	r := stream.New(2, "test")
	random := mat.NewDense(m, m, nil)
	for i := range random.RawMatrix().Data {
		random.RawMatrix().Data[i] = r.NormFloat64()
	}
	if rank := orthonormalRows(random, 0); rank != m {
		t.Fatalf("rank %d", rank)
	}
	tail := func(k int) float64 { return 1 / float64(1+k*k) }
	for name, c := range map[string]struct {
		p     int
		value func(k int) float64 // descending
	}{
		"falling":             {5, func(k int) float64 { return 20 * tail(k) }},
		"more alike than p":   {3, func(k int) float64 { return []float64{5, tail(k)}[min(k/20, 1)] }},
		"alike around p":      {4, func(k int) float64 { return []float64{9, 7, 7, 7, 7, 7, tail(k)}[min(k, 6)] }},
		"close":               {4, func(k int) float64 { return []float64{5 - 1e-4*float64(k), tail(k)}[min(k/4, 1)] }},
		"closer than can be":  {4, func(k int) float64 { return []float64{5 - 1e-13*float64(k), tail(k)}[min(k/4, 1)] }},
		"rank below p":        {6, func(k int) float64 { return max(0, 4-float64(k)) }},
		"rank below step two": {6, func(k int) float64 { return max(0, 15-float64(k)) }},
		"identity":            {5, func(int) float64 { return 3 }},
		"zero":                {5, func(int) float64 { return 0 }},
	} {
		scaled := mat.DenseCopyOf(random)
		for k := range m {
			floats.Scale(c.value(k), scaled.RawRowView(k))
		}
		var full mat.Dense
		full.Mul(scaled.T(), random)
		g := mat.NewSymDense(m, full.RawMatrix().Data)
		values, vectors, ok := topEigen(g, c.p)
		if !ok {
			if name != "zero" {
				t.Errorf("%s: not found", name)
			}
			continue
		}
		slices.Reverse(values)
		u, sigma := mat.NewDense(m, c.p, nil), make([]float64, m+1)
		for k := range m {
			sigma[k] = math.Sqrt(c.value(k))
		}
		for k, v := range values {
			if math.Abs(v-c.value(k)) > 1e-13*c.value(0) {
				t.Errorf("%s: eigenvalue %d is %g, want %g", name, k, v, c.value(k))
			}
			u.SetCol(k, vectors.RawRowView(c.p-1-k))
		}
		against(t, name, u, mat.DenseCopyOf(random.T()), sigma)
	}
}

// TestGramIsExact checks that every entry is a whole number and exact, even if the pixels are as large as possible.
func TestGramIsExact(t *testing.T) {
	r := stream.New(3, "test")
	for _, m := range []int{1, 2, 7, 8, 9, 19} {
		for _, l := range []int{1, 511, 512, 1500} {
			x, white := mat.NewDense(m, l, nil), mat.NewDense(m, l, nil)
			for i := range x.RawMatrix().Data {
				x.RawMatrix().Data[i] = float64(r.IntN(256))
				white.RawMatrix().Data[i] = 255
			}
			for _, pixels := range []*mat.Dense{x, white} {
				var want mat.SymDense
				want.SymOuterK(1, pixels)
				if !mat.Equal(gram(pixels), &want) {
					t.Errorf("%d x %d: not xx'", m, l)
				}
			}
		}
	}
}
