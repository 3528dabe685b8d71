package algorithm

import (
	"slices"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/similarity"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// scatterBatch is the number of clients whose scatter matrices are in memory at the same time.
const scatterBatch = 64

// FeatureSketches returns a sketch of the features of each client's training images, in the order of the clients, and the sum
// of the clients' scatter matrices (see [groups.NewSketch]). They do not depend on the number of workers. FeatureSketches adds
// what the clients send to the ledger. Errors name the client. If the run is cancelled, it returns the error of the run's
// context.
func FeatureSketches(e *federation.Env, clients []*federation.Client) (*similarity.Features, error) {
	return featureSketches(e, clients, true, true)
}

// LeadFeatureSketches is like [FeatureSketches], but only the process that leads the run gets the result. The other processes
// share the work and get nil.
func LeadFeatureSketches(e *federation.Env, clients []*federation.Client) (*similarity.Features, error) {
	return featureSketches(e, clients, true, e.Leads())
}

// FeatureMeans is like [FeatureSketches] for clients that do not send their scatter matrices: the scatter of the result is nil.
func FeatureMeans(e *federation.Env, clients []*federation.Client) (*similarity.Features, error) {
	return featureSketches(e, clients, false, true)
}

// featureSketches implements [FeatureSketches] and its variants. It returns nil unless keep is set.
func featureSketches(e *federation.Env, clients []*federation.Client, sendScatter, keep bool) (*similarity.Features, error) {
	extractor, err := groups.NewExtractor(e.Data.Channels, e.Data.Height, e.Data.Width)
	if err != nil {
		return nil, err
	}
	d := extractor.Len()
	f := &similarity.Features{Shape: groups.Shape{Channels: e.Data.Channels, Height: e.Data.Height, Width: e.Data.Width}}
	if sendScatter {
		f.Scatter = mat.NewSymDense(d, nil)
	}
	for some := range slices.Chunk(clients, scatterBatch) {
		made, scatters := make([]*groups.Sketch, len(some)), make([]*mat.SymDense, len(some))
		store := func(i int, sent sentFeatures) (err error) {
			made[i] = &sent.Sketch
			if sendScatter {
				scatters[i], err = groups.Symmetric(sent.Scatter, d)
			}
			return err
		}
		if !keep {
			store = nil
		}
		err := sketchEach(e, "features", some, func(i int) (err error) {
			made[i], scatters[i], err = featureSketch(e, some[i], extractor)
			return err
		}, func(i int) sentFeatures {
			sent := sentFeatures{Sketch: *made[i]}
			if sendScatter {
				sent.Scatter = groups.Upper(scatters[i])
			}
			return sent
		}, store)
		if err != nil {
			return nil, err
		}
		for i, c := range some {
			e.Ledger.Up(c, "feature means", groups.Halves*e.Data.Classes*(d+1))
			if sendScatter {
				if keep {
					f.Scatter.AddSym(f.Scatter, scatters[i])
				}
				e.Ledger.Up(c, "feature scatter", d*(d+1)/2)
			}
		}
		if keep {
			f.Sketches = append(f.Sketches, made...)
		}
	}
	if !keep {
		return nil, nil
	}
	return f, nil
}

// sentFeatures is what a client sends, in the form in which the processes of a run exchange it.
type sentFeatures struct {
	Sketch  groups.Sketch
	Scatter []float64 // see [groups.Upper]; nil if it is not sent
}

// featureSketch returns the sketch and the scatter of one client (see [FeatureSketches]).
func featureSketch(e *federation.Env, c *federation.Client, extractor *groups.Extractor) (*groups.Sketch, *mat.SymDense, error) {
	if len(c.Train) == 0 {
		d := extractor.Len()
		nothing := new(groups.Sketch)
		for h := range groups.Halves {
			nothing.Counts[h], nothing.Means[h] = make([]int, e.Data.Classes), mat.NewDense(e.Data.Classes, d, nil)
		}
		return nothing, mat.NewSymDense(d, nil), nil
	}
	features, labels := mat.NewDense(len(c.Train), extractor.Len(), nil), make([]int, len(c.Train))
	for k, sample := range c.Train {
		labels[k] = int(e.Label(c, sample))
		if err := extractor.Features(e.Data.Image(e.Data.Train, int(sample)), features.RawRowView(k)); err != nil {
			return nil, nil, err
		}
	}
	return groups.NewSketch(features, labels, e.Data.Classes, stream.New(e.Seed, "groups: halves of the images", uint64(c.ID)))
}
