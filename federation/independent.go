package federation

import "feddag/torch"

// independent makes K states, the k-th from the run's initialisation k.
func independent(e *Env, net *torch.Network, k int) (vectors, error) {
	var states vectors
	for z := range k {
		x := make([]float32, net.Len())
		net.Init(x, torch.All, e.initStream(uint64(z)))
		v, err := torch.VectorOf(e.Device, x)
		if err != nil {
			states.Close()
			return nil, err
		}
		states = append(states, v)
	}
	return states, nil
}
