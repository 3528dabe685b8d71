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

// query returns every client's full-batch gradient at a model, of length 1 where they are normalised: a whole epoch as one
// step of rate 1 without anything else.
func (a *CFLGP) query(state *torch.Vector, t int, clients []*federation.Client) ([][]float32, error) {
	env, mask := a.Env, algorithm.Mask(a.Env, a.Net, a.Coordinates)
	before, err := state.Gather(mask)
	if err != nil {
		return nil, err
	}
	var gradients [][]float32
	for some := range slices.Chunk(clients, federation.ModelsAtOnce) {
		jobs := make([]torch.Job, len(some))
		for i, c := range some {
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

// gram returns G'G of the clients' columns: the sum over the blocks.
func (a *CFLGP) gram(clients []*federation.Client) *mat.SymDense {
	sum := mat.NewSymDense(len(clients), nil)
	for _, block := range a.profiles {
		columns := make([][]float32, len(clients))
		for i, c := range clients {
			columns[i] = block[c.ID] // nil, a column of zeros, of a client that was not there
		}
		sum.AddSym(sum, algorithm.Gram(columns, a.Env.Workers))
	}
	return sum
}

// leading returns the first k rows of S V' as columns, [n, k], given G'G = V S² V'.
func leading(gram *mat.SymDense, k int) (*mat.Dense, error) {
	n := gram.SymmetricDim()
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return nil, fmt.Errorf("the eigenvalues of %d clients' Gram matrix did not converge", n)
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
