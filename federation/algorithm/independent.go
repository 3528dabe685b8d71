package algorithm

import (
	"feddag/federation"
	"feddag/torch"
)

// IndependentStates returns k random initial states of a network, state z from the run's initialisation z, for methods whose
// models must start with different weights. State 0 is θ^0, from which all other methods start. The caller closes the states.
func IndependentStates(e *federation.Env, net *torch.Network, k int) (torch.Vectors, error) {
	var states torch.Vectors
	for z := range k {
		x := e.InitialState(net)
		if z > 0 {
			x = e.RandomState(net, e.InitStream(uint64(z)))
		}
		v, err := torch.VectorOf(e.Device, x)
		if err != nil {
			states.Close()
			return nil, err
		}
		states = append(states, v)
	}
	return states, nil
}
