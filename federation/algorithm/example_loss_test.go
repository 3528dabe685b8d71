package algorithm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// This file is an example: a new algorithm with a loss of its own as a contributor would write it, except that its package
// would be algorithm. Because it is registered, the conformance suite runs it without a further test.

func init() {
	federation.Register("example-supcon", "FedAvg whose clients pull features of one class together", func() federation.Algorithm {
		a := &SupCon{Mu: 0.5, Temperature: 0.5}
		a.Objective = a
		return a
	})
}

// SupCon is FedAvg with the local loss  CE + µ L_sup. L_sup is the supervised contrastive loss (Khosla et al., NeurIPS
// 2020, equation 2) of the normalised features z of a batch of b samples, where P(i) are the other samples with the label of i:
//
//	L_sup = -1/b Σ_i 1/|P(i)| Σ_{p in P(i)} log( e^{z_i z_p / τ} / Σ_{k≠i} e^{z_i z_k / τ} )
//
// A sample adds nothing if no other sample has its label.
type SupCon struct {
	algorithm.FedAvg
	Mu          float64 // µ; 0 is FedAvg
	Temperature float64 // τ
}

// Flags implements [federation.Flagger].
func (a *SupCon) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Mu, "example-supcon-mu", a.Mu, "µ, weight of the contrastive term; 0 is FedAvg")
	fs.Float64Var(&a.Temperature, "example-supcon-temperature", a.Temperature, "τ of the contrastive term")
}

// Validate implements [federation.Validator].
func (a *SupCon) Validate() error {
	if !(a.Mu >= 0) || !(a.Temperature > 0) {
		return fmt.Errorf("--example-supcon-mu is %g, --example-supcon-temperature %g: use 0 or more, and more than 0", a.Mu, a.Temperature)
	}
	return nil
}

// Loss implements [torch.Objective].
func (a *SupCon) Loss(b *torch.Batch) (torch.Tensor, error) {
	n := len(b.Labels)
	itself, positive := make([]float32, n*n), make([]float32, n*n) // -∞ for k = i; 1/|P(i)| for p in P(i)
	for i, label := range b.Labels {
		others := float32(-1)
		for _, other := range b.Labels {
			if other == label {
				others++
			}
		}
		for k, other := range b.Labels {
			if k != i && other == label {
				positive[i*n+k] = 1 / others
			}
		}
		itself[i*n+i] = -1e9
	}
	z := b.Features()[0].Normalize(1)
	similarity := z.MatMul(z.Transpose()).Scale(1 / a.Temperature).Add(b.Tensor(itself, n, n))
	contrast := similarity.LogSoftmax(1).Mul(b.Tensor(positive, n, n)).Sum().Scale(-1 / float64(n))
	return b.CrossEntropy().Plus(a.Mu, contrast), nil
}

// With µ = 0 the method is FedAvg except for rounding; with µ > 0 it is not. The run warns once that it trains by autograd, and
// the ledger counts one forward and backward pass of every sample in every epoch.
func TestExampleLoss(t *testing.T) {
	want, _ := federationtest.Finished(t, "fedavg", 2, nil)
	for mu, alike := range map[float64]bool{0: true, 0.5: false} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "example-supcon")
		a.(*SupCon).Mu = mu
		var w federationtest.Warnings
		e.Observers = append(e.Observers, &w)
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		apart := 0.0
		for i, x := range federationtest.Models(t, a)["global"] {
			apart = max(apart, math.Abs(float64(x-want["global"][i])))
		}
		if alike != (apart < 1e-5) {
			t.Errorf("µ = %g: %g from FedAvg", mu, apart)
		}
		if len(w.Texts) != 1 || !strings.Contains(w.Texts[0], "autograd") {
			t.Errorf("warnings %q", w.Texts)
		}
		var trained int64
		for round := range e.Rounds {
			for _, c := range e.Sample(round) {
				trained += int64(e.Epochs * c.Size())
			}
		}
		if got := e.Ledger.AllWork().Training; got != trained {
			t.Errorf("µ = %g: %d samples in the ledger, want %d", mu, got, trained)
		}
	}
}

// The plan of a run has the loss, and an error in the loss names the client, the batch of the round and the line.
func TestExampleLossInPlans(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "example-supcon")
	p, err := e.Plan(a)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Trainings) != 1 || p.Trainings[0].Objective != torch.Objective(a.(*SupCon)) {
		t.Errorf("%+v", p.Trainings)
	}
	a.(*SupCon).Objective = torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
		return b.Logits().MatMul(b.Features()[0]), nil
	})
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	_, err = a.Round(e, 0, e.Sample(0))
	if err == nil || !strings.Contains(err.Error(), "client ") || !strings.Contains(err.Error(), "epoch 0, batch 0: example_loss_test.go:") {
		t.Error(err)
	}
}
