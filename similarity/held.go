package similarity

import "gonum.org/v1/gonum/mat"

// narrowHolders is the number of holders of a class above which a clustering stores their angles as float32. float32 has 7
// digits, and 8 bytes per pair would take too much memory. V is always computed from the float64 angles.
const narrowHolders = 4096

// HeldAngles is V'_c, the angles of one class between all N clients (eq. 4), in degrees. Only the H(H-1)/2 angles between
// the H clients that hold the class are stored; the others are known.
type HeldAngles struct {
	missing float64   // the angle between two clients if only one of them holds the class
	place   []int32   // position of each client among the holders, -1 for a client that lacks the class; N
	holders []int32   // the clients that hold the class, ascending; H
	wide    condensed // the angles between the holders
	narrow  []float32 // the same angles, rounded; used if wide is nil
}

// newHeldAngles returns angles for the clients of the stored vectors, which are given in ascending order. All stored angles are
// 180.
func newHeldAngles(owner []int, n int, missing float64) *HeldAngles {
	h := &HeldAngles{missing: missing, place: make([]int32, n)}
	for i := range h.place {
		h.place[i] = -1
	}
	for _, i := range owner {
		if h.place[i] < 0 {
			h.place[i] = int32(len(h.holders))
			h.holders = append(h.holders, int32(i))
		}
	}
	h.wide = make(condensed, len(h.holders)*(len(h.holders)-1)/2)
	for k := range h.wide {
		h.wide[k] = 180
	}
	return h
}

// rows returns the stored angles of the holders from client i to client j with all later holders.
func (h *HeldAngles) rows(i, j int) []float64 {
	n := len(h.holders)
	begin := func(a int) int { return a * (2*n - a - 1) / 2 }
	return h.wide[begin(int(h.place[i])):begin(int(h.place[j])+1)]
}

// fill sets the angle between every two holders i and j to at(i, j).
func (h *HeldAngles) fill(at func(i, j int) float64) {
	k := 0
	for a, i := range h.holders {
		for _, j := range h.holders[a+1:] {
			h.wide[k] = at(int(i), int(j))
			k++
		}
	}
}

// Clients returns N.
func (h *HeldAngles) Clients() int { return len(h.place) }

// At returns the angle between clients i and j in degrees. It is 0 if i = j or if neither client holds the class, and 90 (180
// under the prototype's rules) if only one does. At panics if a client is not in 0..N-1.
func (h *HeldAngles) At(i, j int) float64 {
	a, b := h.place[i], h.place[j]
	switch {
	case i == j || a < 0 && b < 0:
		return 0
	case a < 0 || b < 0:
		return h.missing
	}
	return h.stored(int(a), int(b))
}

// stored returns the angle between the holders at positions a and b, a != b.
func (h *HeldAngles) stored(a, b int) float64 {
	k := h.wide.index(len(h.holders), a, b)
	if h.wide == nil {
		return float64(h.narrow[k])
	}
	return h.wide[k]
}

// pairSums returns Σ f(V'_c) over the pairs of holders, by their labels, 0..z-1. The row of a pair is the label of the client
// with the smaller number, and the column is the label of the other client.
func (h *HeldAngles) pairSums(labels []int, z int, f func(degrees float64) float64) *mat.Dense {
	sums := mat.NewDense(z, z, nil)
	for a, i := range h.holders {
		row := sums.RawRowView(labels[i])
		for b := a + 1; b < len(h.holders); b++ {
			row[labels[h.holders[b]]] += f(h.stored(a, b))
		}
	}
	return sums
}

// shrink rounds the angles to float32 if there are many.
func (h *HeldAngles) shrink() {
	if len(h.holders) <= narrowHolders {
		return
	}
	h.narrow = make([]float32, len(h.wide))
	for k, x := range h.wide {
		h.narrow[k] = float32(x)
	}
	h.wide = nil
}
