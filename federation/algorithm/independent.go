package algorithm

import (
	"feddag/federation"
	"feddag/torch"
)

// independent makes K states, the k-th from the run's initialisation k.
func IndependentStates(e *federation.Env, net *torch.Network, k int) (torch.Vectors, error) {
	var states torch.Vectors
	for z := range k {
		x := make([]float32, net.Len())
		net.Init(x, torch.All, e.InitStream(uint64(z)))
		v, err := torch.VectorOf(e.Device, x)
		if err != nil {
			states.Close()
			return nil, err
		}
		states = append(states, v)
	}
	return states, nil
}
