package cflgp

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"

	"gonum.org/v1/gonum/mat"
)

// query returns the full-batch gradient of every client's loss at a model, [clients][coordinates], scaled to length 1 if
// Normalise is set. The gradient is the change of the weights by one step of plain SGD on the whole training set, with a
// learning rate of 1.
func (a *CFLGP) query(state *torch.Vector, t int, clients []*federation.Client) ([][]float32, error) {
	env, mask := a.Env, algorithm.Mask(a.Env, a.Net, a.Coordinates)
	before, err := state.Gather(mask)
	if err != nil {
		return nil, err
	}
	var gradients [][]float32
	for chunk := range slices.Chunk(clients, federation.ModelsAtOnce) {
		jobs := make([]torch.Job, len(chunk))
		for i, c := range chunk {
			jobs[i] = c.Job(state)
		}
		sgd := torch.SGD{Batch: env.Batch, LearningRate: 1, Whole: true}
		trained, err := env.LocalTraining(a.Net, jobs, t, federation.QueryPhase, torch.All, sgd, 1)
		if err != nil {
			return nil, err
		}
		for _, v := range federation.Ends(trained) {
			g, e := v.Gather(mask)
			for k := range g {
				g[k] = before[k] - g[k]
			}
			if length := math.Sqrt(algorithm.Dot(g, g)); a.Normalise && length > 0 {
				for k := range g {
					g[k] /= float32(length)
				}
			}
			gradients, err = append(gradients, g), e
			if err != nil {
				break
			}
		}
		federation.Ends(trained).Close()
		if err != nil {
			return nil, err
		}
	}
	return gradients, nil
}

// gram returns G'G of the clients' columns, [n, n]: the sum over the K blocks of G.
func (a *CFLGP) gram(clients []*federation.Client) *mat.SymDense {
	sum := mat.NewSymDense(len(clients), nil)
	for _, block := range a.profiles {
		columns := make([][]float32, len(clients))
		for i, c := range clients {
			columns[i] = block[c.ID] // nil counts as a column of zeros: the client was absent
		}
		sum.AddSym(sum, algorithm.Gram(columns, a.Env.Workers))
	}
	return sum
}

// leading returns the clients' features, [n, k]: the first k rows of S V' as columns, given the Gram matrix G'G = V S² V',
// [n, n]. It returns an error if the eigenvalues do not converge.
func leading(gram *mat.SymDense, k int) (*mat.Dense, error) {
	n := gram.SymmetricDim()
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return nil, fmt.Errorf("the eigenvalues of the Gram matrix of %d clients did not converge", n)
	}
	var v mat.Dense
	eigen.VectorsTo(&v)
	features := mat.NewDense(n, k, nil)
	for c, column := range slices.Backward(eigen.Values(nil)) { // ascending
		if n-1-c >= k {
			break
		}
		for i := range n {
			features.Set(i, n-1-c, math.Sqrt(max(0, column))*v.At(i, c))
		}
	}
	return features, nil
}
