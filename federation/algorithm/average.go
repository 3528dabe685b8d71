package algorithm

import "feddag/torch"

// mean returns the weighted mean of states, Σ w x / Σ w, over the given parts of the network, and base elsewhere. The
// caller closes it. States come in ascending client id.
func Mean(net *torch.Network, base *torch.Vector, states torch.Vectors, weights []float64, parts torch.Part) (*torch.Vector, error) {
	v, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if err := SetMean(net, v, states, weights, parts); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// setMean puts the weighted mean of states into the given parts of v.
func SetMean(net *torch.Network, v *torch.Vector, states torch.Vectors, weights []float64, parts torch.Part) error {
	for _, r := range Ranges(net, parts) {
		if err := v.SetMean(states, weights, r); err != nil {
			return err
		}
	}
	return nil
}

// ranges returns where some parts of a network lie.
func Ranges(net *torch.Network, parts torch.Part) []torch.Range {
	if parts == torch.All {
		return []torch.Range{{Begin: 0, End: net.Len()}}
	}
	var rs []torch.Range
	for _, p := range []torch.Part{torch.Primary, torch.Secondary, torch.Head} {
		if r := net.Range(p); parts&p != 0 && r.Len() > 0 {
			rs = append(rs, r)
		}
	}
	return rs
}
