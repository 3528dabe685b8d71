package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"

	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// Predict implements Executor.
func (e *Eager) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	out := make([]Predicted, len(jobs))
	if err := images.fits(net); err != nil {
		return nil, err
	}
	for i, job := range jobs {
		weights, err := job.State.Floats()
		if err != nil {
			return nil, err
		}
		leaves := leavesOf(net, weights, 0)
		for begin := 0; begin < len(job.Samples); begin += 128 {
			rows := job.Samples[begin:min(begin+128, len(job.Samples))]
			if err := net.predict(images, rows, job, leaves, &out[i]); err != nil {
				return nil, err
			}
			runtime.GC()
		}
		out[i].Loss = mean(out[i].Losses)
	}
	return out, nil
}

// predict evaluates a batch and appends what it finds.
func (n *Network) predict(images *Images, rows []int32, job Prediction, leaves []leaf, out *Predicted) error {
	x, labels, err := images.batch(rows)
	if err != nil {
		return err
	}
	relabel(labels, job.LabelMap)
	logp := make([]float32, len(rows)*n.classes)
	features := make([][]float32, 0, 2) // of each encoder
	var kept tape
	at := ""
	err = attempt(&at, func() error {
		none := func(Part) *draw { return nil }
		images := kept.keep(tensorOf(x, append([]int{len(rows)}, n.input[:]...)...))
		encoders, err := n.encoders(leaves, images, none, &kept, &at)
		if err != nil {
			return err
		}
		for _, f := range encoders {
			values := make([]float32, len(rows)*n.features)
			if err := failure(C.fd_eager_values(raw(f), (*C.float)(&values[0]), C.int64_t(len(values)))); err != nil {
				return err
			}
			features = append(features, values)
		}
		at = "head"
		t := kept.keep(F.LogSoftmax(n.head(leaves, encoders, &kept), 1))
		return failure(C.fd_eager_values(raw(t), (*C.float)(&logp[0]), C.int64_t(len(logp))))
	})
	runtime.KeepAlive(&kept)
	runtime.KeepAlive(leaves)
	if err != nil {
		return err
	}
	for r := range rows {
		row := logp[r*n.classes : (r+1)*n.classes]
		if labels[r] >= int64(n.classes) {
			return fmt.Errorf("label %d of a network for %d classes", labels[r], n.classes)
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

// argmax is the index of the largest value, the lowest of equals.
func argmax(x []float32) uint8 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return uint8(best)
}
