package federation_test

import (
	"context"
	"testing"

	"feddag/federation/federationtest"
)

// TestSampling checks the size of the sample, max(1, round(R N)), and that it is ascending without repetition.
func TestSampling(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for rate, want := range map[float64]int{0.01: 1, 0.2: 2, 0.5: 4, 1: 8} {
		e.Rate = rate
		cohort := e.Sample(3)
		if len(cohort) != want {
			t.Errorf("rate %g samples %d of 8 clients, want %d", rate, len(cohort), want)
		}
		for i := 1; i < len(cohort); i++ {
			if cohort[i-1].ID >= cohort[i].ID {
				t.Errorf("rate %g: client ids are not strictly ascending", rate)
			}
		}
	}
}
