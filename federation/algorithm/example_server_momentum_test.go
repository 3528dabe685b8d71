package algorithm_test

import (
	"fmt"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// This file is an example: a new algorithm as a contributor would write it, except that its package would be algorithm.
// Because it is registered, the conformance suite runs it without a further test.

func init() {
	federation.Register("example-fedavgm", "FedAvg with momentum on the server", func() federation.Algorithm {
		return &FedAvgM{Momentum: 0.9}
	})
}

// FedAvgM is FedAvg with server momentum (Hsu, Qi, Brown, arXiv:1909.06335, equation 2). With w̄ the weighted mean of the
// cohort's trained models, a round is
//
//	v <- β v + (w̄ - w),  w <- w + v
//
// Running statistics of batch norms are averaged without momentum.
type FedAvgM struct {
	algorithm.FedAvg
	Momentum float64 // β; 0 is FedAvg

	velocity *torch.Vector // v
}

// Flags implements [federation.Flagger].
func (a *FedAvgM) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Momentum, "example-fedavgm-momentum", a.Momentum, "β, momentum of the server; 0 is FedAvg")
}

// Validate implements [federation.Validator].
func (a *FedAvgM) Validate() error {
	if !(a.Momentum >= 0 && a.Momentum < 1) {
		return fmt.Errorf("--example-fedavgm-momentum is %g: use 0 to below 1", a.Momentum)
	}
	return nil
}

// Init implements [federation.Algorithm].
func (a *FedAvgM) Init(env *federation.Env) error {
	if err := a.FedAvg.Init(env); err != nil {
		return err
	}
	var err error
	a.velocity, err = torch.NewVector(env.Device, a.Net.Len())
	return err
}

// Round implements [federation.Algorithm].
func (a *FedAvgM) Round(env *federation.Env, t int, cohort []*federation.Client) (federation.Report, error) {
	before, err := a.States[0].Clone()
	if err != nil {
		return federation.Report{}, err
	}
	defer before.Close()
	report, err := a.FedAvg.Round(env, t, cohort)
	if err != nil {
		return report, err
	}
	for _, r := range a.Net.Trained(torch.All) {
		for _, step := range []struct {
			to   *torch.Vector
			a    float64
			from *torch.Vector
		}{
			{a.velocity, a.Momentum - 1, a.velocity}, // v = β v
			{a.velocity, 1, a.States[0]},
			{a.velocity, -1, before}, // v = β v + (w̄ - w)
			{a.States[0], -1, a.States[0]},
			{a.States[0], 1, before},
			{a.States[0], 1, a.velocity}, // w + v
		} {
			if err := step.to.AddScaled(step.a, step.from, r); err != nil {
				for _, l := range report.Trained {
					l.Close()
				}
				return federation.Report{}, err
			}
		}
	}
	return report, nil
}

// Save implements [federation.Checkpointer].
func (a *FedAvgM) Save() (federation.Saved, error) {
	s, err := a.FedAvg.Save()
	if err == nil {
		s.Vectors["velocity"], err = a.velocity.Floats()
	}
	return s, err
}

// Load implements [federation.Checkpointer].
func (a *FedAvgM) Load(env *federation.Env, s federation.Saved) error {
	if err := a.FedAvg.Load(env, s); err != nil {
		return err
	}
	var err error
	a.velocity, err = s.Vector(env, "velocity", a.Net.Len())
	return err
}

// Close implements [federation.Algorithm].
func (a *FedAvgM) Close() {
	a.FedAvg.Close()
	a.velocity.Close()
}

// A round from w = 0 with v = (1, 2, 3) and β = 1/2 ends at FedAvg's mean plus half of v.
func TestExampleServerMomentum(t *testing.T) {
	federationtest.HandCase{
		Name:   "example-fedavgm",
		Change: func(_ *federation.Env, a federation.Algorithm) { a.(*FedAvgM).Momentum = 0.5 },
		Ready: func(_ *federation.Env, a federation.Algorithm) error {
			return a.(*FedAvgM).velocity.Set(federationtest.Linear{1, 2, 3}.Vector())
		},
		Want: map[string]federationtest.Linear{"global": {.125 + .5, -.75 + 1, -.25 + 1.5}},
	}.Run(t)
}
