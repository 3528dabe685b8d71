package torch

import (
	"fmt"
	"slices"
)

// Values returns the state vector with the given tensors. It is the inverse of [Network.State]. The tensors may be in any
// order. A missing or unknown tensor, or a tensor with another shape, is an error.
func (n *Network) Values(tensors []NamedTensor) ([]float32, error) {
	byName := make(map[string]NamedTensor, len(tensors))
	for _, t := range tensors {
		byName[t.Name] = t
	}
	values := make([]float32, n.Len())
	for _, p := range n.params {
		t, ok := byName[p.Name]
		if !ok {
			return nil, fmt.Errorf("the tensors of another network: %s is missing", p.Name)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return nil, fmt.Errorf("the tensors of another network: %s has the shape %v, want %v", p.Name, t.Shape, p.Shape)
		}
		copy(values[p.Range.Begin:p.Range.End], t.Data)
		delete(byName, p.Name)
	}
	for _, t := range tensors {
		if _, left := byName[t.Name]; left {
			return nil, fmt.Errorf("the tensors of another network: %s is not one of this network's tensors", t.Name)
		}
	}
	return values, nil
}
