package federation_test

import (
	"math"
	"strings"
	"testing"

	"feddag/federation"
)

// TestBadOptions checks that the error for an invalid option names the flag of the option.
func TestBadOptions(t *testing.T) {
	for flag, change := range map[string]func(*federation.Options){
		"--rate":                     func(o *federation.Options) { o.Rate = 0 },
		"--rate ":                    func(o *federation.Options) { o.Rate = 1.5 },
		"--epochs":                   func(o *federation.Options) { o.Epochs = 0 },
		"--batch":                    func(o *federation.Options) { o.Batch = -1 },
		"--momentum":                 func(o *federation.Options) { o.Momentum = 1 },
		"--weight-decay":             func(o *federation.Options) { o.WeightDecay = -1 },
		"--lr-schedule":              func(o *federation.Options) { o.Schedule.Set("cosine:199") },
		"--server-optimizer":         func(o *federation.Options) { o.Server.Name = "sgd" },
		"--early-stopping":           func(o *federation.Options) { o.Stopping.Patience = -1 },
		"--early-stopping ":          func(o *federation.Options) { o.Stopping.Patience, o.EvalEvery = 3, 0 },
		"--early-stopping-min-delta": func(o *federation.Options) { o.Stopping.MinDelta = math.NaN() },
		"--stragglers":               func(o *federation.Options) { o.Unreliable.Stragglers = 1.5 },
		"--stragglers ":              func(o *federation.Options) { o.Unreliable.Stragglers, o.Epochs = 0.5, 1 },
		"--client-dropout":           func(o *federation.Options) { o.Unreliable.Dropout = 1 },
		"--optimizer":                func(o *federation.Options) { o.Optimizer.Name = "rmsprop" },
		"--adam-beta1":               func(o *federation.Options) { o.Optimizer.Beta1 = 1 },
		"--adam-beta2":               func(o *federation.Options) { o.Optimizer.Beta2 = -1 },
		"--adam-eps":                 func(o *federation.Options) { o.Optimizer.Epsilon = 0 },
		"--server-lr":                func(o *federation.Options) { o.Server.LearningRate = -1 },
		"--server-momentum":          func(o *federation.Options) { o.Server.Momentum = 1 },
		"--server-beta1":             func(o *federation.Options) { o.Server.Beta1 = 1 },
		"--server-beta2":             func(o *federation.Options) { o.Server.Beta2 = math.NaN() },
		"--server-tau":               func(o *federation.Options) { o.Server.Tau = 0 },
		"--eval-every":               func(o *federation.Options) { o.EvalEvery = -1 },
		"--eval-share":               func(o *federation.Options) { o.EvalShare = 0 },
		"--eval-share ":              func(o *federation.Options) { o.EvalShare = 1.5 },
		"--eval-share  ":             func(o *federation.Options) { o.EvalShare = math.NaN() },
	} {
		o := federation.DefaultOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(flag)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
