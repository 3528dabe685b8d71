package cfl

import (
	"math"
	"slices"

	"feddag/federation/algorithm"
	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// split tests every cluster and splits those that pass the test. Each part starts with the model of the cluster. The notes are
// the smallest a and the largest b of all clusters whose members all have an update, and the smallest sqrt((1 - a_x)/2) of the
// splits that GammaMax allows or forbids.
func (a *CFL) split(t int) (map[string]float64, error) {
	notes := map[string]float64{}
	noteLeast := func(name string, x float64) {
		if least, ok := notes[name]; !ok || x < least {
			notes[name] = x
		}
	}
	for z := range a.States {
		members, updates := a.lastUpdates(z)
		if len(members) == 0 {
			continue
		}
		g := algorithm.Gram(updates, a.Env.Workers)
		mean, longest := lengths(g)
		noteLeast("cfl_mean_update", mean)
		notes["cfl_longest_update"] = max(notes["cfl_longest_update"], longest)
		if t < a.From || len(members) <= 2 {
			continue
		}
		a.calibrate(g)
		if limits := a.limits(); !(mean < limits.eps1 && longest > limits.eps2) {
			continue
		}
		parts, gamma, err := a.bipartition(g)
		if err != nil {
			return nil, err
		}
		noteLeast("cfl_gamma", gamma)
		if a.GammaMax > 0 && gamma <= a.GammaMax {
			continue
		}
		a.States = append(a.States, a.States[z])
		for _, k := range parts[1] {
			a.Of[members[k]] = len(a.States) - 1
		}
		for _, i := range members { // these updates were not made inside the new clusters
			if !a.Keep {
				a.last[i] = nil
			}
		}
	}
	return notes, nil
}

// lastUpdates returns the members of cluster z and their last updates inside it, [members][P]. It returns nothing if a
// member has no update.
func (a *CFL) lastUpdates(z int) (members []int, updates [][]float32) {
	for i, of := range a.Of {
		if of != z {
			continue
		}
		if a.last[i] == nil {
			return nil, nil
		}
		members, updates = append(members, i), append(updates, a.last[i])
	}
	return members, updates
}

// lengths returns the length of the mean of the updates and the largest length of an update, given the inner products g of
// the updates, [n, n].
func lengths(g *mat.SymDense) (mean, longest float64) {
	n := g.SymmetricDim()
	for i := range n {
		for j := range n {
			mean += g.At(i, j)
		}
		longest = max(longest, math.Sqrt(g.At(i, i)))
	}
	return math.Sqrt(max(0, mean)) / float64(n), longest
}

// calibrate sets the thresholds from the first updates with which a split can be tested, given their inner products g. It does
// this only once.
func (a *CFL) calibrate(g *mat.SymDense) {
	if !a.Calibrate || a.Eps1 == 0 || a.calibrated != nil {
		return
	}
	var norms []float64
	for i := range g.SymmetricDim() {
		norms = append(norms, math.Sqrt(g.At(i, i)))
	}
	slices.Sort(norms)
	eps2 := 0.75 * norms[len(norms)/2]
	a.calibrated = &thresholds{eps2 / 2, eps2}
}

// bipartition divides updates into two parts, given their inner products g. It returns the indices of each part and
// sqrt((1 - a_x)/2), where a_x is the largest cosine between updates of the two parts.
func (a *CFL) bipartition(g *mat.SymDense) (parts [][]int, gamma float64, err error) {
	d := algorithm.CosineDistances(g)
	tree, err := similarity.Agglomerate(d, a.Linkage)
	if err != nil {
		return nil, 0, err
	}
	parts = tree.CutCount(2)
	nearest := math.Inf(1)
	for _, i := range parts[0] {
		for _, j := range parts[1] {
			nearest = min(nearest, d.At(i, j))
		}
	}
	return parts, math.Sqrt(nearest / 2), nil
}
