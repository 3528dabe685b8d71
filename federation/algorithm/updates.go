package algorithm

import (
	"fmt"

	"feddag/torch"
)

// Updates returns the changes of a network's parameters in local trainings: after_i - before_i, on the host, [trainings][P].
// Running statistics are left out, because they are not trained by gradients. Vectors in before may repeat; each is read
// only once.
func Updates(net *torch.Network, before, after torch.Vectors) ([][]float32, error) {
	starts := map[*torch.Vector][]float32{}
	out := make([][]float32, len(after))
	for i, v := range after {
		start, ok := starts[before[i]]
		if !ok {
			var err error
			if start, err = before[i].Floats(); err != nil {
				return nil, err
			}
			starts[before[i]] = start
		}
		x, err := v.Floats()
		if err != nil {
			return nil, fmt.Errorf("reading an update: %w", err)
		}
		for _, r := range net.Trained(torch.All) { // without the running statistics
			for k := r.Begin; k < r.End; k++ {
				out[i] = append(out[i], x[k]-start[k])
			}
		}
	}
	return out, nil
}
