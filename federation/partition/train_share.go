package partition

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// checkTrainShare returns an error unless the share of samples that a client keeps is valid.
func checkTrainShare(o Options) error {
	if share := o.TrainShare; math.IsNaN(share) || share < 0 || share > 1 {
		return fmt.Errorf("--train-share %v: must be a share of a client's samples, above 0 to 1 (all)", share)
	}
	return nil
}

// subsample keeps, for every client, round(TrainShare n) random samples of its n training samples of each class, at least
// one, so that the client keeps its classes and its test set. It draws from a separate stream.
func (p *Partition) subsample(s *data.Set) {
	share := p.Params.TrainShare
	if share == 0 {
		return
	}
	source := stream.New(p.Seed, "partition/train-share")
	for i := range p.Shards {
		of := make([][]int32, s.Classes)
		for _, k := range p.Shards[i].Train {
			label := s.Train.Labels[k]
			of[label] = append(of[label], k)
		}
		var kept []int32
		for _, samples := range of {
			if len(samples) == 0 {
				continue
			}
			source.Shuffle(len(samples), func(a, b int) { samples[a], samples[b] = samples[b], samples[a] })
			kept = append(kept, samples[:max(1, int(math.Round(share*float64(len(samples)))))]...)
		}
		slices.Sort(kept)
		p.Shards[i].Train = kept
	}
}
