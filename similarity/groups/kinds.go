package groups

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// kinds are the class means of clusters in the metric. A kind of images is a class of a cluster. Under a concept shift class c of
// one cluster can be of the same kind as class c' of another.
type kinds struct {
	whole  *table         // [Z, C, d]
	halves [Halves]*table // the same for each half of the clients' images
	spread float64        // Frobenius norm of the noise of one image
	near   float64        // mean squared distance between a kind and the nearest other kind of its cluster, above 0
}

// kinds returns the class means of the clusters.
func (r *Roster) kinds() *kinds {
	f, label := r.finder(), make([]int, len(r.Sketches))
	for z, members := range r.Clusters {
		for _, i := range members {
			label[i] = z
		}
	}
	k := &kinds{whole: f.white.centres(label, len(r.Clusters)), spread: mat.Norm(f.metric.noise, 2)}
	for h := range Halves {
		k.halves[h] = f.whiteHalves[h].centres(label, len(r.Clusters))
	}
	sum, times, all, pairs := 0., 0., 0., 0.
	for z := range r.Clusters {
		for c := range k.whole.classes {
			nearest := math.Inf(1)
			for e := range k.whole.classes {
				if e != c && k.holds(z, c) && k.holds(z, e) {
					x := max(k.square(z, c, z, e), 0)
					nearest, all, pairs = min(nearest, x), all+x, pairs+1
				}
			}
			if !math.IsInf(nearest, 1) {
				sum, times = sum+nearest, times+1
			}
		}
	}
	if k.near = sum / max(times, 1); k.near == 0 {
		k.near = all / max(pairs, 1)
	}
	if k.near == 0 { // no cluster holds two classes: use one standard deviation of an image in every direction
		k.near = float64(k.whole.d)
	}
	return k
}

// holds reports whether cluster z has images of class c.
func (k *kinds) holds(z, c int) bool { return k.whole.weight(z, c) > 0 }

// held returns the classes that clusters a and b both hold, and those that only one of them holds, in ascending order.
func (k *kinds) held(a, b int) (both, onlyA, onlyB []int) {
	for c := range k.whole.classes {
		switch inA, inB := k.holds(a, c), k.holds(b, c); {
		case inA && inB:
			both = append(both, c)
		case inA:
			onlyA = append(onlyA, c)
		case inB:
			onlyB = append(onlyB, c)
		}
	}
	return both, onlyA, onlyB
}

// square returns the squared distance between class c of cluster p and class e of cluster q in variances of one image,
//
//	<m_pc0 - m_qe0, m_pc1 - m_qe1>
//
// Its noise cancels, because the halves are independent, so it can be negative. If a half lacks one of the classes, it is the
// squared distance between the means of all images.
func (k *kinds) square(p, c, q, e int) float64 {
	sum := 0.
	if a, b := k.halves[0], k.halves[1]; a.weight(p, c) > 0 && a.weight(q, e) > 0 && b.weight(p, c) > 0 && b.weight(q, e) > 0 {
		x, y, s, t := a.mean(p, c), a.mean(q, e), b.mean(p, c), b.mean(q, e)
		for f := range x {
			sum += (x[f] - y[f]) * (s[f] - t[f])
		}
		return sum
	}
	return squareDistance(k.whole.mean(p, c), k.whole.mean(q, e))
}

// deviation returns the standard deviation of square for classes of the same kind.
func (k *kinds) deviation(p, c, q, e int) float64 {
	v := 1.
	for _, t := range k.halves {
		v *= 1/max(t.weight(p, c), 0.5) + 1/max(t.weight(q, e), 0.5)
	}
	return k.spread * math.Sqrt(v)
}

// alike returns the similarity of class c of cluster p and class e of cluster q, which is 1 for the same kind of images:
//
//	2^(-4 D^2 / near),   D^2 their squared distance, at least 0
//
// So the similarity is 1/2 halfway between a class and its nearest neighbour, and 1/16 at the neighbour.
func (k *kinds) alike(p, c, q, e int) float64 {
	return math.Exp2(-4 * max(k.square(p, c, q, e), 0) / k.near)
}
