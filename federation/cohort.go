package federation

import (
	"math"

	"feddag/internal/stream"
)

// participants returns the clients of round t, ascending: those that the method chooses, or the sample.
func (e *Env) participants(a Algorithm, t int) ([]*Client, error) {
	sampled := e.cohort(t)
	s, ok := a.(Selector)
	if !ok {
		return sampled, nil
	}
	chosen, err := s.Select(e, t, sampled)
	return byID(chosen), err
}

// cohort returns the uniform sample of round t: max(1, round(R N)) of the N that are there, uniform without replacement,
// ascending.
func (e *Env) cohort(t int) []*Client {
	n := len(e.present)
	m := min(n, max(1, int(math.Round(e.Rate*float64(n)))))
	chosen := stream.New(e.Seed, "cohort", uint64(t)).Perm(n)[:m]
	cohort := make([]*Client, m)
	for i, id := range chosen {
		cohort[i] = e.present[id]
	}
	return byID(cohort)
}
