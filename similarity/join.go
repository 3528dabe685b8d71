package similarity

import (
	"math"
	"slices"
)

// join assigns the movers to clusters. The two closest clusters that are not both old merge, as long as their linkage distance
// is at most α*. An old cluster keeps its number. Clusters that consist only of movers come after the last old cluster, in the
// order of their first members.
func (r *Roster) join(movers []int) {
	linkage, most := r.options.Linkage, r.Threshold
	if r.options.Method == "spectral" { // there is no α*, so each mover joins the cluster with the smallest mean distance
		linkage, most = "average", math.Inf(1)
	}
	var groups [][]int // the old clusters that have members, then the movers
	var number []int   // number of each old cluster
	for z, members := range r.Clusters {
		if len(members) > 0 {
			groups, number = append(groups, members), append(number, z)
		}
	}
	old := len(groups)
	for _, i := range movers {
		groups = append(groups, []int{i})
		r.share[i] = 1
	}
	d := make([][]float64, len(groups)) // distances between groups that are not both old
	for x := range groups {
		d[x] = make([]float64, len(groups))
	}
	for k, i := range movers {
		for x := range old + k {
			d[x][old+k] = r.distance(i, groups[x], linkage)
			d[old+k][x] = d[x][old+k]
		}
	}
	for {
		x, y, least := -1, -1, math.Inf(1)
		for b := old; b < len(groups); b++ {
			for a := range b {
				if len(groups[a]) > 0 && len(groups[b]) > 0 && d[a][b] < least {
					x, y, least = a, b, d[a][b]
				}
			}
		}
		if x < 0 || least > most {
			break
		}
		update := lanceWilliams[linkage]
		nx, ny := float64(len(groups[x])), float64(len(groups[y]))
		for k := range groups {
			if k != x && k != y && len(groups[k]) > 0 && (k >= old || x >= old) {
				d[k][x] = update(d[k][x], d[k][y], least, nx, ny, float64(len(groups[k])))
				d[x][k] = d[k][x]
			}
		}
		r.merge(groups, x, y, linkage)
	}
	for x, members := range groups {
		slices.Sort(members)
		switch {
		case x < old:
			r.Clusters[number[x]] = members
		case len(members) > 0:
			r.Clusters = append(r.Clusters, members)
		}
	}
}

// merge moves group y into group x.
func (r *Roster) merge(groups [][]int, x, y int, linkage string) {
	px, py := 0.5, 0.5
	if linkage != "weighted" {
		px = float64(len(groups[x])) / float64(len(groups[x])+len(groups[y]))
		py = 1 - px
	}
	for _, i := range groups[x] {
		r.share[i] *= px
	}
	for _, i := range groups[y] {
		r.share[i] *= py
	}
	groups[x], groups[y] = slices.Concat(groups[x], groups[y]), nil
}

// distance returns the linkage distance between a client and a cluster that the client is not in, as agglomeration would
// compute it. With d_j = A_ij and the shares s_j of the members (1/|C|, except for weighted linkage) it is
//
//	single, complete   min d_j, max d_j
//	average, weighted  Σ_j s_j d_j
//	ward               sqrt( 2|C|/(|C|+1) (1/|C| Σ_j d_j^2 - 1/|C|^2 Σ_{j<k} A_jk^2) )
func (r *Roster) distance(i int, members []int, linkage string) float64 {
	size := float64(len(members))
	least, most, mean, square, inner := math.Inf(1), 0.0, 0.0, 0.0, 0.0
	for k, j := range members {
		x := r.Proximity.At(i, j)
		least, most = min(least, x), max(most, x)
		mean += r.share[j] * x
		square += x * x
		if linkage == "ward" {
			for _, l := range members[:k] {
				y := r.Proximity.At(j, l)
				inner += y * y
			}
		}
	}
	switch linkage {
	case "single":
		return least
	case "complete":
		return most
	case "ward":
		return wardDistance(size, square, inner)
	}
	return mean
}

// wardDistance returns Ward's distance between a client and a cluster of the given size, from Σ_j d_j^2 and Σ_{j<k} A_jk^2.
func wardDistance(size, square, inner float64) float64 {
	return math.Sqrt(max(0, 2*size/(size+1)*(square/size-inner/(size*size))))
}
