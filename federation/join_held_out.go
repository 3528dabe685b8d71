package federation

import "fmt"

// JoinHeldOut lets the clients that were never present join after the last round, as [Run] does at its end, and returns them.
// There are none if the method takes no newcomers.
func (e *Env) JoinHeldOut(a Algorithm) ([]*Client, error) {
	n, ok := a.(Newcomer)
	heldOut := e.population.neverPresent()
	if !ok || len(heldOut) == 0 {
		return nil, nil
	}
	if err := n.Join(e, e.Rounds, heldOut); err != nil {
		return nil, fmt.Errorf("held-out clients: %w", err)
	}
	return heldOut, nil
}
