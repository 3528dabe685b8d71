package federation

import (
	"math"

	"feddag/internal/stream"
)

// Selector is implemented by a method that itself chooses which clients take part in a round: by their loss, by cluster, or
// all of them. Select receives the uniform sample that the other methods train. Round is then called with the clients that
// Select returns.
type Selector interface {
	Select(env *Env, t int, sampled []*Client) ([]*Client, error)
}

// Participants returns the clients that take part in round t, by ascending id: those that a [Selector] chooses from the sample,
// or the sample itself.
func (e *Env) Participants(a Algorithm, t int) ([]*Client, error) {
	sampled := e.Sample(t)
	s, ok := a.(Selector)
	if !ok {
		return sampled, nil
	}
	chosen, err := s.Select(e, t, sampled)
	return ByID(chosen), err
}

// Sample returns the uniform sample of round t by ascending id: max(1, round(R N)) of the N present clients, drawn without
// replacement. The same seed and round give the same sample.
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
