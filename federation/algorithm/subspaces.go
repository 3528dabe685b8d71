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

// bookVectors counts the principal vectors that a client sends.
func BookVectors(e *federation.Env, c *federation.Client, s *similarity.Sketch) {
	for _, basis := range s.Bases {
		if basis != nil {
			rows, columns := basis.Dims()
			e.Ledger.Up(c, "principal vectors", rows*columns)
		}
	}
}

// subspaces makes sketches of the clients' data alone: class counts and principal vectors.
func Subspaces(e *federation.Env, clients []*federation.Client, p similarity.Count, svdSamples int) ([]similarity.Sketch, error) {
	sketches := make([]similarity.Sketch, len(clients))
	errs := make([]error, len(clients))
	parallel.ForWorkers(len(clients), max(e.Workers, runtime.GOMAXPROCS(0)), func(i int) {
		if e.Err() == nil {
			sketches[i], errs[i] = sketchClient(e, clients[i], p, svdSamples)
		}
	})
	if err := e.Err(); err != nil {
		return nil, err
	}
	for i, c := range clients {
		if errs[i] != nil {
			return nil, fmt.Errorf("client %d: %w", c.ID, errs[i])
		}
	}
	return sketches, nil
}

// sketch counts a client's classes and takes the principal vectors of each.
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

// subsample draws n of the images, in their order.
func subsample(images [][]byte, n int, seed uint64, client, class int) [][]byte {
	chosen := stream.New(seed, "svd", uint64(client), uint64(class)).Perm(len(images))[:n]
	slices.Sort(chosen)
	some := make([][]byte, n)
	for k, i := range chosen {
		some[k] = images[i]
	}
	return some
}
