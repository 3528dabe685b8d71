package main

import (
	"math"
	"slices"

	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/mathext"
)

// bound returns the best assignment of the clients when the true groups are known: each client is in the group g whose label
// and image distributions make its sketch most likely,
//
//	ln DM(n_i; alpha_g) - 1/2 sum_c (|m_ic - mu_gc|^2 / (1/n_ic + 1/n_gc) + d ln(1 + n_ic/n_gc) - d)
//
// in the metric of the covariance inside the groups' classes. DM is the Dirichlet-multinomial whose parameters fit the
// group's clients. alpha_g, mu_gc and n_gc come from all of the clients' images, which known and scatter describe, except
// those of client i itself. The sum leaves out classes without any remaining images. A client with a class that no client of
// the group has is not in the group. Styles of the clients are not modelled.
func bound(sketches, known []*groups.Sketch, scatter *mat.SymDense, truth []int) []int {
	classes, d := sketches[0].Means[0].Dims()
	count, mean := classMeans(sketches)
	all, allMean := classMeans(known)
	metric := whitening(allMean, scatter, all, truth)
	var white, allWhite mat.Dense
	white.Mul(mean, metric)
	allWhite.Mul(allMean, metric)
	K := slices.Max(truth) + 1
	sums, total := centres(&allWhite, all, truth, K)
	members := make([][][]float64, K)
	for i, g := range truth {
		members[g] = append(members[g], all[i])
	}
	parameters := make([][]float64, K)
	for g := range K {
		parameters[g] = fitDirichlet(members[g])
	}
	answer := make([]int, len(sketches))
	for i := range sketches {
		best := math.Inf(-1)
		for g := range K {
			likelihood := logDirichletMultinomial(count[i], parameters[g])
			for c, n := range count[i] {
				own := 0.
				if truth[i] == g {
					own = all[i][c]
				}
				rest := total[g][c] - own
				if n > 0 && total[g][c] == 0 {
					likelihood = math.Inf(-1) // no client of the group has the class
				}
				if n == 0 || rest < 0.5 {
					continue
				}
				square, mine := 0., allWhite.RawRowView(i*classes+c)
				for f, x := range white.RawRowView(i*classes + c) {
					e := x - (sums[g].At(c, f)-own*mine[f])/rest
					square += e * e
				}
				likelihood -= (square/(1/n+1/rest) + float64(d)*math.Log(1+n/rest) - float64(d)) / 2
			}
			if likelihood > best {
				best, answer[i] = likelihood, g
			}
		}
	}
	return answer
}

// classMeans returns the counts of the clients, N x C, and the means of their classes, N C x d.
func classMeans(sketches []*groups.Sketch) (count [][]float64, mean *mat.Dense) {
	classes, d := sketches[0].Means[0].Dims()
	count, mean = make([][]float64, len(sketches)), mat.NewDense(len(sketches)*classes, d, nil)
	for i, s := range sketches {
		count[i] = make([]float64, classes)
		for c := range classes {
			row := mean.RawRowView(i*classes + c)
			for h := range groups.Halves {
				n := float64(s.Counts[h][c])
				count[i][c] += n
				for f, x := range s.Means[h].RawRowView(c) {
					row[f] += n * x
				}
			}
			for f := range row {
				row[f] /= math.Max(count[i][c], 1)
			}
		}
	}
	return count, mean
}

// centres returns the sums of the groups' class means, K x [C, d], and the numbers of images, K x C.
func centres(mean *mat.Dense, count [][]float64, truth []int, K int) (sums []*mat.Dense, total [][]float64) {
	_, d := mean.Dims()
	classes := len(count[0])
	for range K {
		sums, total = append(sums, mat.NewDense(classes, d, nil)), append(total, make([]float64, classes))
	}
	for i, g := range truth {
		for c, n := range count[i] {
			total[g][c] += n
			row := sums[g].RawRowView(c)
			for f, x := range mean.RawRowView(i*classes + c) {
				row[f] += n * x
			}
		}
	}
	return sums, total
}

// whitening returns the matrix W, d x d, for which the rows of M W have the identity as their covariance inside the groups'
// classes.
func whitening(mean *mat.Dense, scatter *mat.SymDense, count [][]float64, truth []int) mat.Matrix {
	rows, d := mean.Dims()
	classes := len(count[0])
	sums, total := centres(mean, count, truth, slices.Max(truth)+1)
	images := 0.
	residual := mat.NewDense(rows, d, nil)
	for i, g := range truth {
		for c, n := range count[i] {
			images += n
			row := residual.RawRowView(i*classes + c)
			for f, x := range mean.RawRowView(i*classes + c) {
				row[f] = math.Sqrt(n) * (x - sums[g].At(c, f)/math.Max(total[g][c], 1))
			}
		}
	}
	var covariance mat.SymDense
	covariance.SymOuterK(1, residual.T())
	covariance.AddSym(&covariance, scatter)
	covariance.ScaleSym(1/images, &covariance)
	for f := range d {
		covariance.SetSym(f, f, covariance.At(f, f)*(1+1e-6)+1e-12)
	}
	var factor mat.Cholesky
	var lower, inverse mat.TriDense
	if factor.Factorize(&covariance) {
		factor.LTo(&lower)
		if inverse.InverseTri(&lower) == nil {
			return inverse.T()
		}
	}
	return mat.NewDiagDense(d, slices.Repeat([]float64{1}, d)) // only reached if all features are constant
}

// fitDirichlet returns the parameters of the Dirichlet-multinomial that fit the rows best, by Minka's fixed point. The parameter
// of a class that no row has is tiny.
func fitDirichlet(rows [][]float64) []float64 {
	a := make([]float64, len(rows[0]))
	for c := range a {
		for _, x := range rows {
			a[c] += x[c]
		}
		a[c] = math.Min(a[c], 1)
	}
	for range 200 {
		sum := 0.
		for _, x := range a {
			sum += x
		}
		below := 0.
		for _, x := range rows {
			below += mathext.Digamma(total(x)+sum) - mathext.Digamma(sum)
		}
		for c := range a {
			if a[c] == 0 {
				continue
			}
			above := 0.
			for _, x := range rows {
				above += mathext.Digamma(x[c]+a[c]) - mathext.Digamma(a[c])
			}
			a[c] = math.Min(math.Max(a[c]*above/math.Max(below, 1e-12), 1e-4), 1e4)
		}
	}
	for c := range a {
		a[c] = math.Max(a[c], 1e-9)
	}
	return a
}

func total(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

// logDirichletMultinomial returns the logarithm of the likelihood of counts, except for a term that does not depend on a.
func logDirichletMultinomial(n, a []float64) float64 {
	lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	l := lgamma(total(a)) - lgamma(total(n)+total(a))
	for c := range a {
		l += lgamma(n[c]+a[c]) - lgamma(a[c])
	}
	return l
}
