package corruption

import (
	"math"
	"math/rand/v2"
)

// The four noises, each value of each channel apart.
func init() {
	// x + N(0, c^2)
	register(corruption{name: "gaussian_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.04, .06, .08, .09, .10}[severity-1]
		for i := range x.v {
			x.v[i] += c * r.normal()
		}
	}})
	// Poisson(x c) / c
	register(corruption{name: "shot_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{500, 250, 100, 75, 50}[severity-1]
		for i, v := range x.v {
			x.v[i] = r.poisson(v*c) / c
		}
	}})
	// A share c of the values becomes 0 or 1, with equal chances (salt and pepper).
	register(corruption{name: "impulse_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.01, .02, .03, .05, .07}[severity-1]
		for i := range x.v {
			if r.uniform() <= c {
				x.v[i] = salt(r.uniform())
			}
		}
	}})
	// x + x N(0, c^2)
	register(corruption{name: "speckle_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{.06, .1, .12, .16, .2}[severity-1]
		for i := range x.v {
			x.v[i] += x.v[i] * c * r.normal()
		}
	}})
}

// salt is white in half of the cases, else black.
func salt(u float64) float64 {
	if u <= 0.5 {
		return 1
	}
	return 0
}

// poisson draws a Poisson variate of the given mean (0 to 10^6): below 10 by counting exponential gaps, else by
// transformed rejection (Hoermann, "The transformed rejection method for generating Poisson random variables", 1993,
// algorithm PTRS).
func poisson(r *rand.Rand, mean float64) float64 {
	if !(mean > 0) {
		return 0
	}
	if mean < 10 {
		k := 0.0
		for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
			k++
		}
		return k
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	alpha := 1.1239 + 1.1328/(b-3.4)
	inner := 0.9277 - 3.6224/(b-2)
	logMean := math.Log(mean)
	for {
		u, v := r.Float64()-0.5, 1-r.Float64() // v is never 0
		us := 0.5 - math.Abs(u)
		if us <= 0 {
			continue
		}
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= inner {
			return k
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		g, _ := math.Lgamma(k + 1)
		if math.Log(v)+math.Log(alpha)-math.Log(a/(us*us)+b) <= k*logMean-mean-g {
			return k
		}
	}
}
