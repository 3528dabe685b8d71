package corruption

import (
	"math"
	"math/rand/v2"
)

// The corruption shot_noise is Poisson(x c) / c, for each value of each channel.
func init() {
	register(corruption{name: "shot_noise", apply: func(x *canvas, severity int, r draws) {
		c := [MaxSeverity]float64{500, 250, 100, 75, 50}[severity-1]
		for i, v := range x.v {
			x.v[i] = r.poisson(v*c) / c
		}
	}})
}

// poisson draws a Poisson variate with a mean from 0 to 10^6. It counts exponential gaps if the mean is below 10, and otherwise
// uses transformed rejection (Hoermann, "The transformed rejection method for generating Poisson random variables", 1993,
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
