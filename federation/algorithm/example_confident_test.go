package algorithm

import (
	"fmt"

	"feddag/federation"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("confident", "FedAvg with a penalty for confident predictions", func() federation.Algorithm {
		a := &Confident{Beta: 0.1}
		a.Objective = a
		return a
	})
}

// Confident is FedAvg with the local loss CE - β H, where H is the mean entropy of the predicted probabilities of a batch
// (Pereyra, Tucker, Chorowski, Kaiser, Hinton, arXiv:1701.06548, equation 3).
type Confident struct {
	FedAvg
	Beta float64 // β; 0 is FedAvg
}

// Flags implements [federation.Flagger].
func (a *Confident) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Beta, "confident-beta", a.Beta, "β, weight of the entropy; 0 is FedAvg")
}

// Validate implements [federation.Validator].
func (a *Confident) Validate() error {
	if !(a.Beta >= 0) {
		return fmt.Errorf("--confident-beta is %g: use 0 or more", a.Beta)
	}
	return nil
}

// Loss implements [torch.Objective].
func (a *Confident) Loss(b *torch.Batch) (torch.Tensor, error) {
	logits := b.Logits()
	entropy := logits.Softmax(1).Mul(logits.LogSoftmax(1)).Sum(1).Mean().Scale(-1)
	return b.CrossEntropy().Plus(-a.Beta, entropy), nil
}
