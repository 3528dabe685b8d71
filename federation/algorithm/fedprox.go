package algorithm

import (
	"fmt"
	"math"

	"feddag/federation"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedprox", "FedAvg with a proximal term that keeps clients near the received model", func() federation.Algorithm {
		a := &FedProx{Mu: 0.01}
		a.Local = a.proximal
		return a
	})
}

// FedProx is FedAvg with the local loss F_i(w) + (µ/2)|w - w^t|², where w^t is the model that the client received (Li, Sahu,
// Zaheer, Sanjabi, Talwalkar, Smith, MLSys 2020). The gradient of the proximal term is added before the momentum, like the
// gradient of any term of the loss.
//
// The authors tune µ over 0.001, 0.01, 0.1, 0.5 and 1 (github.com/litian96/FedProx, README); the default here is 0.01. The
// flag --stragglers adds the paper's stragglers.
type FedProx struct {
	FedAvg
	Mu float64 // µ; 0 gives FedAvg
}

// Flags implements [federation.Flagger].
func (a *FedProx) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Mu, "fedprox-mu", a.Mu, "weight µ of the proximal term (µ/2)|w - w^t|²; 0 gives FedAvg")
}

// Validate implements [federation.Validator].
func (a *FedProx) Validate() error {
	if !(a.Mu >= 0 && !math.IsInf(a.Mu, 0)) {
		return fmt.Errorf("--fedprox-mu is %g: use 0 or more", a.Mu)
	}
	return nil
}

// Init implements [federation.Algorithm].
func (a *FedProx) Init(env *federation.Env) error {
	if a.Mu == 0 {
		env.Warn("--fedprox-mu is 0: the method is FedAvg")
	}
	return a.FedAvg.Init(env)
}

// proximal trains every client with the proximal term around the model that it received.
func (a *FedProx) proximal(jobs []torch.Job, t int, phase federation.Phase) ([]torch.Trained, error) {
	for i := range jobs {
		jobs[i].Proximal = a.Mu
	}
	return a.Env.LocalSGD(a.Net, jobs, t, phase, torch.All)
}
