package federation

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"feddag/internal/spelling"

	"github.com/spf13/pflag"
)

// The values of ServerOptimizer.Name.
const (
	ServerNone     = "none"
	ServerMomentum = "momentum"
	ServerAdam     = "adam"
	ServerYogi     = "yogi"
	ServerAdagrad  = "adagrad"
)

// ServerOptimizers lists the values of ServerOptimizer.Name.
var ServerOptimizers = []string{ServerNone, ServerMomentum, ServerAdam, ServerYogi, ServerAdagrad}

// ServerOptimizer says how the server updates a model x from Δ, the weighted mean of the trained models of a round minus x. It
// is applied to each model that a method averages, with a separate state for each. Buffers, such as the running statistics of
// a batch norm, are averaged.
//
//	none       x <- x + Δ, the mean itself
//	momentum   m <- β m + Δ,               x <- x + η m                       (FedAvgM)
//	adam       v <- β2 v + (1 - β2) Δ²                                        (FedAdam)
//	yogi       v <- v - (1 - β2) Δ² sign(v - Δ²)                              (FedYogi)
//	adagrad    v <- v + Δ²                                                    (FedAdagrad)
//	           m <- β1 m + (1 - β1) Δ,     x <- x + η m / (√v + τ)            for these three
//
// Initially m is 0 and v is τ². Momentum is from Hsu, Qi and Brown (arXiv:1909.06335). The others are algorithm 2 of Reddi,
// Charles, Zaheer, Garrett, Rush, Konečný, Kumar and McMahan (ICLR 2021), which does not correct the bias of m and v.
type ServerOptimizer struct {
	Name         string
	LearningRate float64 // η; 0 for the default of ServerOptimizer.Rate
	Momentum     float64 // β
	Beta1, Beta2 float64 // β1, β2
	Tau          float64 // τ
}

// defaultServerOptimizer returns ServerNone, with the constants of Reddi et al. (section 5) and the momentum of Hsu et al. for
// the other optimisers.
func defaultServerOptimizer() ServerOptimizer {
	return ServerOptimizer{Name: ServerNone, Momentum: 0.9, Beta1: 0.9, Beta2: 0.99, Tau: 1e-3}
}

// Enabled reports whether the server does anything other than averaging.
func (o ServerOptimizer) Enabled() bool { return o.Name != ServerNone && o.Name != "" }

// Adaptive reports whether the optimiser has a rate for each weight.
func (o ServerOptimizer) Adaptive() bool { return o.Enabled() && o.Name != ServerMomentum }

// Rate returns η. This is LearningRate, or if LearningRate is 0, 1 with momentum and 0.03 with the others.
func (o ServerOptimizer) Rate() float64 {
	switch {
	case o.LearningRate != 0:
		return o.LearningRate
	case o.Adaptive():
		return 0.03
	}
	return 1
}

// Averager is implemented by a method whose server may average models, so that a [ServerOptimizer] can be applied to them. A
// method that does not implement Averager averages no models.
type Averager interface {
	Averages() bool
}

// Flags declares the flags of the optimiser.
func (o *ServerOptimizer) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Name, "server-optimizer", o.Name, "what the server does with the mean of the clients' models: "+strings.Join(ServerOptimizers, ", ")+" (docs/training.md)")
	fs.Float64Var(&o.LearningRate, "server-lr", o.LearningRate, "learning rate η of the server's optimiser; 0 means 1 with momentum and 0.03 with the others")
	fs.Float64Var(&o.Momentum, "server-momentum", o.Momentum, "momentum β of the server, 0 to below 1")
	fs.Float64Var(&o.Beta1, "server-beta1", o.Beta1, "decay β1 of the server's mean of updates, 0 to below 1")
	fs.Float64Var(&o.Beta2, "server-beta2", o.Beta2, "decay β2 of the server's mean of squared updates, 0 to below 1")
	fs.Float64Var(&o.Tau, "server-tau", o.Tau, "adaptivity τ of the server's optimiser, above 0; a larger one is less adaptive")
}

// validate returns an error that names the flag of the first invalid value.
func (o ServerOptimizer) validate() error {
	if err := spelling.OneOf("--server-optimizer", o.Name, ServerOptimizers); err != nil {
		return err
	}
	for _, x := range []struct {
		flag  string
		value float64
	}{{"momentum", o.Momentum}, {"beta1", o.Beta1}, {"beta2", o.Beta2}} {
		if !(x.value >= 0 && x.value < 1) {
			return fmt.Errorf("--server-%s is %g: use a number from 0 to below 1", x.flag, x.value)
		}
	}
	switch {
	case !(o.LearningRate >= 0 && !math.IsInf(o.LearningRate, 0)):
		return fmt.Errorf("--server-lr is %g: use a number above 0, or 0 for the default of the optimiser", o.LearningRate)
	case !(o.Tau > 0 && !math.IsInf(o.Tau, 0)):
		return fmt.Errorf("--server-tau is %g: use a number above 0", o.Tau)
	}
	return nil
}

// Unread returns the flags of the optimiser that have no effect with an algorithm.
func (o ServerOptimizer) Unread(name string, a Algorithm) (list []UnreadFlag) {
	if x, ok := a.(Averager); !ok || !x.Averages() {
		for _, flag := range []string{"optimizer", "lr", "momentum", "beta1", "beta2", "tau"} {
			list = append(list, UnreadFlag{
				Name: "server-" + flag, Where: "with --algorithm " + name + ", which averages no models", Who: "it is read by the methods that do", Never: true,
			})
		}
		return list
	}
	where := "with --server-optimizer " + o.Name
	for _, x := range []struct {
		flag string
		by   []string
	}{
		{"lr", ServerOptimizers[1:]},
		{"momentum", []string{ServerMomentum}},
		{"beta1", ServerOptimizers[2:]},
		{"beta2", []string{ServerAdam, ServerYogi}},
		{"tau", ServerOptimizers[2:]},
	} {
		if !slices.Contains(x.by, o.Name) {
			list = append(list, UnreadFlag{Name: "server-" + x.flag, Where: where, Who: "it is read by --server-optimizer " + strings.Join(x.by, ", ")})
		}
	}
	return list
}
