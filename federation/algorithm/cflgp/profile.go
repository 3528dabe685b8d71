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

// copied notes what a round may change.
func (a *CFLGP) snapshot() CFLGP {
	c := *a
	c.Of = slices.Clone(a.Of)
	c.profiles = make([][][]float32, len(a.profiles))
	for k := range c.profiles {
		c.profiles[k] = slices.Clone(a.profiles[k])
	}
	return c
}

func (a *CFLGP) restore(c CFLGP) {
	a.Of, a.profiles, a.criterion, a.centroids = c.Of, c.profiles, c.criterion, c.centroids
}

// Save implements [Checkpointer].
func (a *CFLGP) Save() (federation.Saved, error) {
	s, err := a.SaveWith(nil)
	if err != nil {
		return s, err
	}
	put := func(x []float32, name string, keys ...any) {
		if x != nil {
			s.Vectors[fmt.Sprintf(name, keys...)] = x
		}
	}
	put(a.criterion, "criterion")
	for z, x := range a.centroids {
		put(x, "centroid-%d", z)
	}
	for k, block := range a.profiles {
		for i, x := range block {
			put(x, "profile-%d-%d", k, i)
		}
	}
	return s, nil
}

// Load implements [Checkpointer].
func (a *CFLGP) Load(env *federation.Env, s federation.Saved) error {
	if err := a.LoadWith(env, s, nil); err != nil {
		return err
	}
	if len(a.States) != a.K {
		return fmt.Errorf("%d models, this run has %d", len(a.States), a.K)
	}
	a.start(len(env.Clients))
	for k, block := range a.profiles {
		for i := range block {
			block[i] = s.Vectors[fmt.Sprintf("profile-%d-%d", k, i)]
		}
	}
	if a.criterion = s.Vectors["criterion"]; a.criterion != nil {
		a.centroids = make([][]float32, a.K)
		for z := range a.centroids {
			a.centroids[z] = s.Vectors[fmt.Sprintf("centroid-%d", z)]
		}
	}
	return nil
}

// Join implements [Newcomer]: a newcomer sends its gradient at the model of the last query and goes to the cluster whose
// mean gradient there was nearest. Before any query it is in cluster 0, as all are.
func (a *CFLGP) Join(env *federation.Env, t int, newcomers []*federation.Client) error {
	if a.criterion == nil {
		for _, c := range newcomers {
			a.Of[c.ID] = 0
		}
		return nil
	}
	v, err := torch.VectorOf(env.Device, a.criterion)
	if err != nil {
		return err
	}
	defer v.Close()
	newcomers = federation.ByID(newcomers)
	gradients, err := a.query(v, t, newcomers)
	if err != nil {
		return err
	}
	for i, c := range newcomers {
		best, least := 0, math.Inf(1)
		for z, centre := range a.centroids {
			if centre == nil {
				continue
			}
			if d := algorithm.Dot(centre, centre) - 2*algorithm.Dot(centre, gradients[i]); d < least {
				best, least = z, d
			}
		}
		a.Of[c.ID] = best
		env.Ledger.Down(c, "criterion model", a.Net.Len())
		env.Ledger.Up(c, "gradient", len(gradients[i]))
	}
	return nil
}
