package similarity

import (
	"feddag/similarity/agreement"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// settle computes the rows of the movers, which are clients in no cluster, ascending. It learns their gates, assigns them to
// clusters and returns the numbers of their clusters.
func (r *Roster) settle(movers []int) ([]int, error) {
	m, err := split(r.Sketches)
	if err != nil {
		return nil, err
	}
	moving := make([]bool, len(r.Sketches))
	for _, i := range movers {
		moving[i] = true
	}
	if err := r.extendWeights(m.counts, movers); err != nil {
		return nil, err
	}
	if err := r.extendGradient(m.updates, movers); err != nil {
		return nil, err
	}
	if err := r.extendData(m, moving); err != nil {
		return nil, err
	}
	if err := r.extendGates(movers, moving); err != nil {
		return nil, err
	}
	r.join(movers)
	r.Changes += len(movers)
	labels := agreement.Labels(r.Clusters, len(r.Sketches))
	placed := make([]int, len(movers))
	for k, i := range movers {
		placed[k] = labels[i]
	}
	return placed, nil
}

// extendWeights adds the class sizes of the movers (eq. 5). The range of the ratios does not change.
func (r *Roster) extendWeights(counts [][]int, movers []int) error {
	w, err := NewWeights(counts, r.options) // for the sizes, and to check the counts
	if err != nil {
		return err
	}
	for _, i := range movers {
		r.weights.size[i] = w.size[i]
	}
	return nil
}

// extendGradient computes the movers' rows of G and G^ (eq. 3).
func (r *Roster) extendGradient(updates [][]float64, movers []int) error {
	unit, zero, err := unitRows(updates)
	if err != nil {
		return err
	}
	for _, i := range movers {
		own := mat.NewVecDense(unit.RawMatrix().Cols, unit.RawRowView(i))
		var cosine mat.VecDense
		cosine.MulVec(unit, own)
		for j := range updates {
			if j == i {
				continue
			}
			x := 0.0
			if !zero[i] || !zero[j] {
				x = angle(cosine.AtVec(j), unit.RawRowView(i), unit.RawRowView(j))
			}
			r.Gradient.SetSym(i, j, x)
			r.GradientScaled.SetSym(i, j, r.gradientEnds.scaled(x))
		}
	}
	return nil
}

// extendData computes the movers' rows of V'_c, V and V^ (eq. 4-6).
func (r *Roster) extendData(m *memory, moving []bool) error {
	n := len(moving)
	for i := range n {
		for j := i + 1; j < n; j++ {
			if moving[i] || moving[j] {
				r.Data.SetSym(i, j, 0)
			}
		}
	}
	for c, old := range r.angles {
		stack, owner, err := m.stack(c)
		if err != nil {
			return err
		}
		h := newHeldAngles(owner, n, old.missing)
		h.fill(func(i, j int) float64 {
			if moving[i] || moving[j] {
				return 180
			}
			return old.At(i, j)
		})
		if stack != nil {
			moverAngles(h, stack, owner, moving, r.options)
		}
		for i := range n {
			if !moving[i] {
				continue
			}
			for j := range n {
				if j != i && !(moving[j] && j < i) {
					x := r.options.capped(h.At(i, j) * r.weights.At(i, j, c))
					r.Data.SetSym(i, j, r.Data.At(i, j)+x/float64(len(r.angles)))
				}
			}
		}
		h.shrink()
		r.angles[c] = h
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			if moving[i] || moving[j] {
				r.DataScaled.SetSym(i, j, r.dataEnds.scaled(r.Data.At(i, j)))
			}
		}
	}
	return nil
}

// moverAngles reduces the angles of the movers to the angles between their vectors and all vectors (P_c x F).
func moverAngles(h *HeldAngles, stack *mat.Dense, owner []int, moving []bool, o Options) {
	var p pairAngles = &projected{full: stack, low: stack, signed: o.Rules == "prototype"}
	if o.Angle == "principal" {
		p = &spans{stack}
	}
	rows, f := stack.Dims()
	for _, own := range runs(owner) {
		i := owner[own.from]
		if !moving[i] {
			continue
		}
		var block mat.Dense // p x P_c
		block.Mul(stack.Slice(own.from, own.to, 0, f), stack.Slice(0, rows, 0, f).T())
		for _, other := range runs(owner) {
			if j := owner[other.from]; j != i {
				k := h.wide.index(len(h.holders), int(h.place[i]), int(h.place[j]))
				h.wide[k] = p.nearest(&block, own.from, 0, run{0, own.to - own.from, 0}, other)
			}
		}
	}
}

// pair is an entry of A that depends on the gate of a mover.
type pair struct {
	gate, i, j int // gate is the position among the movers
	g, v       float64
}

// extendGates learns the movers' gates (eq. 7, 8) and fills their rows of A.
func (r *Roster) extendGates(movers []int, moving []bool) error {
	n := len(moving)
	name, x, err := r.options.fusion()
	if err != nil {
		return err
	}
	pairs := make([]pair, 0, len(movers)*n)
	for k, i := range movers {
		for j := range n {
			if j != i && !(moving[j] && j < i) { // a pair of two movers uses the gate of the smaller number
				pairs = append(pairs, pair{k, i, j, r.GradientScaled.At(i, j), r.DataScaled.At(i, j)})
			}
		}
	}
	if settled := slices.Index(moving, false); name == "shared" && settled >= 0 {
		name, x = "fixed", r.Gates[settled]
	}
	w := slices.Repeat([]float64{x}, len(movers))
	if name != "fixed" {
		sum, mean := r.settledSums(moving)
		gates, err := descend(len(movers), func(w, slope []float64) (float64, error) { return pairEntropy(pairs, sum, mean, w, slope), nil }, nil)
		if err != nil {
			return err
		}
		w = gates.W
	}
	for k, i := range movers {
		r.Gates[i] = w[k]
	}
	for _, p := range pairs {
		r.Proximity.SetSym(p.i, p.j, w[p.gate]*p.g+(1-w[p.gate])*p.v)
	}
	return nil
}

// settledSums returns Σ_j exp A_ij and Σ_j A_ij exp A_ij over i itself and the clients j that do not move (N each).
func (r *Roster) settledSums(moving []bool) (sum, mean []float64) {
	n := len(moving)
	sum, mean = make([]float64, n), make([]float64, n)
	for i := range n {
		sum[i]++ // exp A_ii
		for k, a := range upper(r.Proximity, i) {
			j := i + 1 + k
			if moving[i] || moving[j] {
				continue
			}
			e := math.Exp(a)
			sum[i] += e
			sum[j] += e
			mean[i] += a * e
			mean[j] += a * e
		}
	}
	return sum, mean
}

// pairEntropy returns the entropy as a function of only the gates of the movers. sum0 and mean0 are the sums over all other
// entries.
func pairEntropy(pairs []pair, sum0, mean0, w, slope []float64) float64 {
	sum, mean := slices.Clone(sum0), slices.Clone(mean0)
	for _, p := range pairs {
		a := w[p.gate]*p.g + (1-w[p.gate])*p.v
		e := math.Exp(a)
		sum[p.i] += e
		sum[p.j] += e
		mean[p.i] += a * e
		mean[p.j] += a * e
	}
	n := float64(len(sum))
	total := 0.0
	for i := range sum {
		mean[i] /= sum[i]
		total += math.Log(sum[i]) - mean[i] // H_i
	}
	if slope != nil {
		clear(slope)
		for _, p := range pairs {
			a := w[p.gate]*p.g + (1-w[p.gate])*p.v
			d := (a-mean[p.i])/sum[p.i] + (a-mean[p.j])/sum[p.j]
			slope[p.gate] -= math.Exp(a) * d * (p.g - p.v) / n
		}
	}
	return total / n
}
