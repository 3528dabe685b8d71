package pacfl

import (
	"cmp"
	"math"
	"slices"

	"feddag/federation"

	"gonum.org/v1/gonum/mat"
)

// traces returns the sums of matched angles of all pairs of clients, [clients, clients] in degrees, from their U_i (see
// [matchedAngles]). The sums of a client without vectors are 0. The rows are divided between the processes of the run. The result
// depends neither on the number of workers nor on the number of processes.
func traces(env *federation.Env, vectors []*mat.Dense) (*mat.SymDense, error) {
	sums := mat.NewSymDense(len(vectors), nil)
	err := federation.ShareRows(env, "sums of matched angles", len(vectors), func(i int) []float64 {
		row := make([]float64, i)
		for j := range row {
			if vectors[i] != nil && vectors[j] != nil {
				row[j] = matchedAngles(vectors[i], vectors[j])
			}
		}
		return row
	}, func(i int, row []float64) {
		for j, sum := range row {
			sums.SetSym(i, j, sum)
		}
	})
	return sums, err
}

// matchedAngles returns the sum in degrees of the angles arccos|u.v| between matched columns of U (F x p) and V (F x q), of
// unit length. The two columns with the smallest angle are matched first, then the closest two of the remaining columns, until
// one of the clients has no columns left. The sum over the min(p, q) matches is scaled by max(p, q) / min(p, q). Without this, a
// client that has few columns, because it has few samples of a label, would be close to every other client.
func matchedAngles(u, v *mat.Dense) float64 {
	var cosines mat.Dense
	cosines.Mul(u.T(), v)
	p, q := cosines.Dims()
	type pair struct {
		angle    float64
		row, col int
	}
	pairs := make([]pair, 0, p*q)
	for i := range p {
		for j, c := range cosines.RawRowView(i) {
			pairs = append(pairs, pair{math.Acos(min(1, math.Abs(c))), i, j})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.angle, b.angle) })
	rows, cols := make([]bool, p), make([]bool, q)
	var sum float64
	for _, x := range pairs {
		if !rows[x.row] && !cols[x.col] {
			rows[x.row], cols[x.col] = true, true
			sum += x.angle
		}
	}
	return sum * 180 / math.Pi * float64(max(p, q)) / float64(min(p, q))
}
