package torch

import (
	"fmt"
	"slices"
)

// Values returns the state vector that has the given tensors: the inverse of [Network.State]. The tensors may come in any
// order. It is an error if one is missing, unknown, or of another shape.
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
			return nil, fmt.Errorf("the tensors of another network: %s is not among its tensors", t.Name)
		}
	}
	return values, nil
}
