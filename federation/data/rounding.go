package data

// roundShares rounds the share of each cell up or down to a whole number of images. The sum over the cells of each class,
// and over the cells of each user, differs from the sum of the shares by less than 1. The expected value of each number is
// the share. random returns a number from 0 to below n.
//
// Classes and users are the vertices of a bipartite graph and cells with a fraction are its edges. Along a cycle, or a
// path between two vertices with a single edge, fractions are raised and lowered in turn until one of them is 0 or 1. This is
// dependent rounding: Gandhi, Khuller, Parthasarathy and Srinivasan, "Dependent rounding and its applications to
// approximation algorithms", J. ACM 53(3), 2006, section 2.
func roundShares(cells []cell, classes, users int, random func(n int64) int64) []int {
	r := rounding{
		counts: make([]int, len(cells)), fraction: make([]int64, len(cells)), ends: make([][2]int, len(cells)),
		edges: make([][]int, classes+users), step: make([]int, classes+users), random: random,
	}
	for i, c := range cells {
		r.counts[i], r.fraction[i] = int(c.share/shareUnit), c.share%shareUnit
		r.ends[i] = [2]int{c.class, classes + c.user}
		if r.fraction[i] != 0 {
			for _, v := range r.ends[i] {
				r.edges[v] = append(r.edges[v], i)
			}
		}
	}
	for v := range r.edges {
		for from := v; r.next(v, -1) >= 0; {
			from = r.walk(from)
			if r.next(from, -1) < 0 {
				from = v
			}
		}
	}
	return r.counts
}

// rounding is the state of roundShares.
type rounding struct {
	counts   []int    // number of images of each cell
	fraction []int64  // fraction of each cell, in units of 1/shareUnit; 0 once it is rounded
	ends     [][2]int // the vertices of each edge
	edges    [][]int  // edges of each vertex, including those that are rounded
	step     []int    // for each vertex, 1 more than its position in the walk; 0 while it is not in the walk
	random   func(n int64) int64
}

// next returns an edge of a vertex that is not rounded and not the given one, or -1.
func (r *rounding) next(v, except int) int {
	edges := r.edges[v]
	for k := len(edges) - 1; k >= 0; k-- {
		switch e := edges[k]; {
		case r.fraction[e] == 0:
			edges[k] = edges[len(edges)-1]
			edges = edges[:len(edges)-1]
			r.edges[v] = edges
		case e != except:
			return e
		}
	}
	return -1
}

// walk follows edges from a vertex until it finds a cycle, which it rounds, or a vertex with one edge. In the latter case it
// rounds the path if the path started at such a vertex. Otherwise the next walk must start at the returned vertex.
func (r *rounding) walk(from int) int {
	vertices, path := []int{from}, []int{}
	r.step[from] = 1
	v, last := from, -1
	for {
		e := r.next(v, last)
		if e < 0 {
			break
		}
		path = append(path, e)
		v, last = r.ends[e][0]+r.ends[e][1]-v, e
		if k := r.step[v]; k > 0 {
			r.round(path[k-1:])
			path = nil
			break
		}
		vertices = append(vertices, v)
		r.step[v] = len(vertices)
	}
	for _, u := range vertices {
		r.step[u] = 0
	}
	if len(path) > 0 && r.next(from, path[0]) < 0 {
		r.round(path)
	}
	return v
}

// round raises and lowers the fractions of a path or cycle in turn until one of them is 0 or 1.
func (r *rounding) round(path []int) {
	up, down := int64(shareUnit), int64(shareUnit) // largest amounts by which the first fraction can be raised and lowered
	for k, e := range path {
		above, below := shareUnit-r.fraction[e], r.fraction[e]
		if k%2 == 1 {
			above, below = below, above
		}
		up, down = min(up, above), min(down, below)
	}
	by := up
	if r.random(up+down) < up {
		by = -down
	}
	for k, e := range path {
		if k%2 == 0 {
			r.fraction[e] += by
		} else {
			r.fraction[e] -= by
		}
		if r.fraction[e] == shareUnit {
			r.fraction[e] = 0
			r.counts[e]++
		}
	}
}
