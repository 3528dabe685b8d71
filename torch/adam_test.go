package torch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"feddag/models"
	"feddag/torch"
)

// adams are the optimisers of testdata/make_adam_fixtures.py.
var adams = map[string]torch.SGD{
	"adam":  {Batch: 5, LearningRate: 0.001, WeightDecay: 0.01, Adam: &torch.Adam{Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-3}},
	"adamw": {Batch: 5, LearningRate: 0.001, WeightDecay: 0.1, Adam: &torch.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3, Decoupled: true}},
}

// TestAdamEqualsPyTorch checks that ten steps of Adam and of AdamW equal PyTorch's on every executor; the batched engine
// passes them to the serial one.
func TestAdamEqualsPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/adam.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Cases []struct {
			parityCase
			Optimizer string
		}
	}
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 4 {
		t.Fatalf("%d cases", len(fixture.Cases))
	}
	for _, c := range fixture.Cases {
		for name, executor := range executors(t) {
			if strings.HasPrefix(name, "batched ") {
				continue // the method of its convolutions does not matter
			}
			t.Run(fmt.Sprintf("%s/dual=%v/%s/%s", c.Optimizer, c.Dual, strings.Join(c.Parts, "+"), name), func(t *testing.T) {
				net, images, job := parityJob(t, c.Model, c.Dual, c.Seed, models.Options{})
				parts := partsOf(c.Parts)
				trained, err := executor.Train(net, images, []torch.Job{job}, parts, adams[c.Optimizer])
				if err != nil {
					t.Fatal(err)
				}
				defer trained[0].End.Close()
				equalsPyTorch(t, net, job.Start, trained[0], parts, c.Losses, c.Tensors, 2e-5)
			})
		}
	}
}

// TestAdamWithTheRest checks that the executors agree on Adam with dropout, a proximal term, whole epochs and an objective.
func TestAdamWithTheRest(t *testing.T) {
	for name, sgd := range adams {
		// With seed 101 an activation is within rounding of zero, where the derivative of ReLU jumps.
		net, images, job := parityJob(t, "lenet", true, 103, models.Options{Dropout: 0.3})
		anchor := values(t, job.Start)
		for i := range anchor {
			anchor[i] += 0.01
		}
		job.Proximal, job.Anchor = 0.1, vectorOf(t, anchor...)
		agree(t, net, images, job, torch.Primary|torch.Head, sgd)
		sgd.Whole = true
		agree(t, net, images, job, torch.Primary|torch.Head, sgd)
		sgd.Whole, sgd.Objective = false, &torch.Diverse{Lambda: 0.1}
		agree(t, net, images, job, torch.Primary|torch.Head, sgd)
		t.Log(name)
	}
}

// TestAdamIsNotForMeta checks that every executor refuses the steps of Per-FedAvg with Adam.
func TestAdamIsNotForMeta(t *testing.T) {
	net, images, job := parityJob(t, "lenet", false, 101, models.Options{})
	sgd := adams["adam"]
	sgd.Meta = &torch.Meta{Alpha: 0.1}
	for name, executor := range executors(t) {
		if _, err := executor.Train(net, images, []torch.Job{job}, torch.All, sgd); err == nil || !strings.Contains(err.Error(), "cannot be combined with Adam") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
