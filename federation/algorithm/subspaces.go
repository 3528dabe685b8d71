package algorithm

import (
	"fmt"
	"runtime"
	"slices"

	"feddag/federation"
	"feddag/internal/parallel"
	"feddag/internal/stream"
	"feddag/similarity"

	"gonum.org/v1/gonum/mat"
)

// BookVectors adds the principal vectors that a client sends to the ledger: F values for each vector of each class.
func BookVectors(e *federation.Env, c *federation.Client, s *similarity.Sketch) {
	e.Ledger.Up(c, "principal vectors", numbers(s.Bases))
}

// Subspaces returns a sketch of each client's training data: the number of samples of each class, n_i,c, and for each class
// that the client has, the first principal vectors of its raw images, F x p (see [similarity.PrincipalVectors]). p gives the
// number of vectors by the number of samples. If svdSamples is above 0, a class with more images is represented by a random
// subset of svdSamples images. The sketches are in the order of the clients and do not depend on the number of workers. Errors
// name the client and the class. If the run is cancelled, Subspaces returns the error of the run's context.
func Subspaces(e *federation.Env, clients []*federation.Client, p similarity.Count, svdSamples int) ([]similarity.Sketch, error) {
	sketches := make([]similarity.Sketch, len(clients))
	err := sketchEach(e, "principal vectors", clients, func(i int) (err error) {
		sketches[i], err = sketchClient(e, clients[i], p, svdSamples)
		return err
	}, func(i int) subspaces {
		sent := subspaces{sketches[i].Counts, map[int]*mat.Dense{}}
		for class, basis := range sketches[i].Bases {
			if basis != nil {
				sent.Bases[class] = basis
			}
		}
		return sent
	}, func(i int, sent subspaces) error {
		sketches[i] = similarity.Sketch{Counts: sent.Counts, Bases: make([]*mat.Dense, e.Data.Classes)}
		for class, basis := range sent.Bases {
			sketches[i].Bases[class] = basis
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sketches, nil
}

// SharedSubspaces is like [Subspaces] for a run of several processes, each of which keeps the principal vectors that it has
// computed. The caller sets the updates of the sketches. values is the number of values that each client sends as principal
// vectors.
func SharedSubspaces(e *federation.Env, clients []*federation.Client, p similarity.Count, svdSamples int) (s *similarity.Shared, values []int, err error) {
	s = &similarity.Shared{Team: e.Peers, Counts: make([][]int, len(clients)), Bases: make([][]*mat.Dense, len(clients))}
	values = make([]int, len(clients))
	err = sketchEach(e, "principal vectors", clients, func(i int) error {
		sketch, err := sketchClient(e, clients[i], p, svdSamples)
		s.Counts[i], s.Bases[i], values[i] = sketch.Counts, sketch.Bases, numbers(sketch.Bases)
		return err
	}, func(i int) subspaceSizes {
		return subspaceSizes{s.Counts[i], values[i]}
	}, func(i int, sent subspaceSizes) error {
		s.Counts[i], values[i] = sent.Counts, sent.Values
		s.Bases[i] = make([]*mat.Dense, e.Data.Classes)
		return nil
	})
	return s, values, err
}

// subspaceSizes is what the processes exchange about a client whose principal vectors only one of them has.
type subspaceSizes struct {
	Counts []int
	Values int
}

// numbers returns the number of values in the bases of a client, each of which is F x p or nil.
func numbers(bases []*mat.Dense) (n int) {
	for _, b := range bases {
		if b != nil {
			rows, columns := b.Dims()
			n += rows * columns
		}
	}
	return n
}

// subspaces is the sketch of a client in the form in which the processes of a run exchange it.
type subspaces struct {
	Counts []int
	Bases  map[int]*mat.Dense // by class, for the classes that the client has
}

// sketchEach calls sketch with the index of each client, in parallel, and divides the calls between the processes of the run,
// see [federation.Share]. It returns the error of the first client that has one, by index, and the error names the client. If the
// run is cancelled, it stops calling sketch and returns the error of the run's context.
func sketchEach[T any](e *federation.Env, what string, clients []*federation.Client, sketch func(i int) error, pack func(i int) T, unpack func(i int, sent T) error) error {
	costs := make([]int64, len(clients))
	for i, c := range clients {
		costs[i] = int64(c.Size())
	}
	run := func(places []int) error {
		errs := make([]error, len(places))
		parallel.ForWorkers(len(places), max(e.Workers, runtime.GOMAXPROCS(0)), func(k int) {
			if e.Err() == nil {
				errs[k] = sketch(places[k])
			}
		})
		if err := e.Err(); err != nil {
			return err
		}
		for k, i := range places {
			if errs[k] != nil {
				return fmt.Errorf("client %d: %w", clients[i].ID, errs[k])
			}
		}
		return nil
	}
	return federation.Share(e, what, costs, run, pack, unpack)
}

// sketchClient returns the sketch of one client (see [Subspaces]).
func sketchClient(e *federation.Env, c *federation.Client, p similarity.Count, svdSamples int) (similarity.Sketch, error) {
	s := similarity.Sketch{Counts: make([]int, e.Data.Classes), Bases: make([]*mat.Dense, e.Data.Classes)}
	byClass := make([][][]byte, e.Data.Classes)
	for _, sample := range c.Train {
		l := e.Label(c, sample)
		s.Counts[l]++
		byClass[l] = append(byClass[l], e.Data.Image(e.Data.Train, int(sample)))
	}
	for class, images := range byClass {
		if len(images) == 0 {
			continue
		}
		vectors := p.Of(len(images))
		if svdSamples > 0 && len(images) > svdSamples {
			images = subsample(images, svdSamples, e.Seed, c.ID, class)
		}
		var err error
		if s.Bases[class], err = similarity.PrincipalVectors(images, min(vectors, len(images))); err != nil {
			return s, fmt.Errorf("class %d: %w", class, err)
		}
	}
	return s, nil
}

// subsample draws n images of a client's class without replacement, and returns them in their original order.
func subsample(images [][]byte, n int, seed uint64, client, class int) [][]byte {
	chosen := stream.New(seed, "svd", uint64(client), uint64(class)).Perm(len(images))[:n]
	slices.Sort(chosen)
	subset := make([][]byte, n)
	for k, i := range chosen {
		subset[k] = images[i]
	}
	return subset
}
