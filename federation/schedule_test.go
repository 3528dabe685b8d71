package federation_test

import (
	"math"
	"strings"
	"testing"

	"feddag/federation"
)

// TestRateSchedules checks the factors of every schedule. The expected values are the learning rates of StepLR(2, 0.5),
// ExponentialLR(0.9) and CosineAnnealingLR(4, eta_min=0 and 0.1) of PyTorch 2.11 for an initial rate of 1.
func TestRateSchedules(t *testing.T) {
	for text, want := range map[string][]float64{
		"constant":        {1, 1, 1, 1, 1},
		"step:2:0.5":      {1, 1, 0.5, 0.5, 0.25},
		"exponential:0.9": {1, 0.9, 0.81, 0.729, 0.6561},
		"cosine:4":        {1, 0.8535533905932737, 0.5, 0.14644660940672624, 0},
		"cosine:4:0.1":    {1, 0.8681980515339464, 0.55, 0.23180194846605363, 0.1, 0.1},
	} {
		var s federation.RateSchedule
		if err := s.Set(text); err != nil || s.String() != text {
			t.Errorf("%s: %v, reads as %s", text, err, &s)
		}
		for round, x := range want {
			if got := s.Factor(round); math.Abs(got-x) > 1e-12 {
				t.Errorf("%s: factor %v in round %d, want %v", text, got, round, x)
			}
		}
	}
	var s federation.RateSchedule
	if s.Set("step:10:0.50") != nil || s.String() != "step:10:0.5" || s.Constant() {
		t.Errorf("step:10:0.50 is %s", &s)
	}
	for text, hint := range map[string]string{
		"": "is not a schedule", "linear": "is not a schedule", "step:10": "is not a schedule", "constant:1": "is not a schedule", "exponential:0.9:1": "is not a schedule",
		"step:0:0.5": "1 or more", "step:x:0.5": "1 or more", "step:1:0": "factor", "exponential:1.1": "factor", "exponential:NaN": "factor",
		"cosine": "number of rounds", "cosine:-1": "1 or more", "cosine:4:-0.1": "factor",
	} {
		if err := s.Set(text); err == nil || !strings.Contains(err.Error(), hint) || !strings.Contains(err.Error(), "cosine:ROUNDS") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if s.String() != "step:10:0.5" {
		t.Errorf("a wrong schedule was taken: %s", &s)
	}
}
