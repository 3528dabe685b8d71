package partition

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// logDirichlet draws the logarithms of n Gamma(a, 1) variates. Normalised, the variates are a draw from the symmetric
// Dirichlet distribution of concentration a, which is between minConcentration and maxConcentration. It draws logarithms
// because at a = 0.001 most variates are below the smallest float64, and the draw could be 0/0.
func logDirichlet(r *rand.Rand, a float64, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = logGamma(r, a)
	}
	return x
}

// logGamma draws the logarithm of a Gamma(a, 1) variate by the method of Marsaglia and Tsang, "A simple method for
// generating gamma variables" (2000), and for a < 1 with their boost Gamma(a) = Gamma(a+1) U^(1/a).
func logGamma(r *rand.Rand, a float64) float64 {
	boost := 0.0
	if a < 1 {
		boost = -r.ExpFloat64() / a // ln(U)/a
		a++
	}
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := 1 - r.Float64() // never 0
		if math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return math.Log(d) + math.Log(v) + boost
		}
	}
}

// normalise converts logarithms of weights, at least one of which is finite, to shares that sum to 1, in place.
func normalise(logs []float64) []float64 {
	top := slices.Max(logs)
	sum := 0.0
	for i, l := range logs {
		logs[i] = math.Exp(l - top)
		sum += logs[i]
	}
	for i := range logs {
		logs[i] /= sum
	}
	return logs
}

// apportion divides n into len(shares) whole numbers of at least least each. The rest is divided by the shares, which sum to
// 1, with the largest remainder method; ties go to the lower index. n must be at least least*len(shares).
func apportion(n int, shares []float64, least int) []int {
	parts := make([]int, len(shares))
	order := make([]int, len(shares))
	remainder := make([]float64, len(shares))
	rest := n - least*len(shares)
	left := rest
	for i, share := range shares {
		exact := share * float64(rest)
		whole := min(int(exact), left) // otherwise rounding could give one sample too many
		left -= whole
		parts[i], remainder[i], order[i] = least+whole, exact-float64(whole), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(remainder[b], remainder[a]), cmp.Compare(a, b))
	})
	for k := 0; left > 0; k, left = (k+1)%len(order), left-1 {
		parts[order[k]]++
	}
	return parts
}
