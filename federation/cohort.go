package federation

import (
	"math"

	"feddag/internal/stream"
)

// Selector is implemented by a method that chooses itself which clients take part in a round: by their loss, by cluster, or
// all of them. It is given the uniform sample that the other methods train, and Round follows with the clients that it
// returns.
type Selector interface {
	Select(env *Env, t int, sampled []*Client) ([]*Client, error)
}

// participants returns the clients of round t, ascending: those that the method chooses, or the sample.
func (e *Env) Participants(a Algorithm, t int) ([]*Client, error) {
	sampled := e.Sample(t)
	s, ok := a.(Selector)
	if !ok {
		return sampled, nil
	}
	chosen, err := s.Select(e, t, sampled)
	return ByID(chosen), err
}

// cohort returns the uniform sample of round t: max(1, round(R N)) of the N that are there, uniform without replacement,
// ascending.
func (e *Env) Sample(t int) []*Client {
	n := len(e.present)
	m := min(n, max(1, int(math.Round(e.Rate*float64(n)))))
	chosen := stream.New(e.Seed, "cohort", uint64(t)).Perm(n)[:m]
	cohort := make([]*Client, m)
	for i, id := range chosen {
		cohort[i] = e.present[id]
	}
	return ByID(cohort)
}
