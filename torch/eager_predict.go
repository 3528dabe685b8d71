package torch

import (
	"fmt"
	"slices"
)

// Predict implements [Executor].
func (e *Eager) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	out := make([]Predicted, len(jobs))
	if err := images.fits(net); err != nil {
		return nil, err
	}
	for i, job := range jobs {
		if job.State == nil || job.State.handle == nil {
			return nil, fmt.Errorf("the weights to predict with are closed")
		}
		for rows := range slices.Chunk(job.Samples, 128) {
			if err := net.predict(images, rows, job, &out[i]); err != nil {
				return nil, err
			}
		}
		out[i].Loss = mean(out[i].Losses)
	}
	return out, nil
}

// predict evaluates a batch and appends the results to out.
func (n *Network) predict(images *Images, rows []int32, job Prediction, out *Predicted) error {
	kept := tape{device: job.State.device}
	defer kept.free()
	leaves, err := leavesOf(n, job.State, 0, &kept)
	if err != nil {
		return err
	}
	x, labels, err := images.batch(rows, &kept)
	if err != nil {
		return err
	}
	applyLabelMap(labels, job.LabelMap)
	var logp []float32
	var features [][]float32 // features of each encoder
	at := ""
	err = attempt(&at, func() error {
		encoders, err := n.encoders(leaves, x.gotorch(), func(Part) *draw { return nil }, &kept, &at)
		if err != nil {
			return err
		}
		for _, f := range encoders {
			features = append(features, f.Floats())
		}
		at = "head"
		logp = n.head(leaves, encoders, &kept).LogSoftmax(1).Floats()
		return nil
	})
	if err != nil {
		return err
	}
	for r := range rows {
		row := logp[r*n.classes : (r+1)*n.classes]
		if labels[r] >= int64(n.classes) {
			return fmt.Errorf("label %d in a network for %d classes", labels[r], n.classes)
		}
		out.Classes, out.Losses = append(out.Classes, argmax(row)), append(out.Losses, -row[labels[r]])
		if job.Features {
			for _, f := range features {
				out.Features = append(out.Features, f[r*n.features:(r+1)*n.features]...)
			}
		}
	}
	if job.LogProbabilities {
		out.LogProbabilities = append(out.LogProbabilities, logp...)
	}
	return nil
}

// argmax returns the index of the largest value, and the lowest index of equal ones.
func argmax(x []float32) uint8 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return uint8(best)
}
