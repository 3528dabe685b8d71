package algorithm

import (
	"fmt"

	"feddag/torch"
)

// changes returns what local trainings changed of the parameters, on the host: after_i - before_i.
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
		for _, r := range net.Trained(torch.All) { // running statistics are no direction
			for k := r.Begin; k < r.End; k++ {
				out[i] = append(out[i], x[k]-start[k])
			}
		}
	}
	return out, nil
}
