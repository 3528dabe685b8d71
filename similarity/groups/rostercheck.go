package groups

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// checkShape returns an error if images of a shape do not have d features. The zero Shape is unknown and not checked.
func checkShape(shape Shape, d int) error {
	if shape == (Shape{}) {
		return nil
	}
	want, err := shape.Features()
	if err != nil {
		return err
	}
	if want != d {
		return fmt.Errorf("images of %v have %d features, but the sketches have %d: they were made of other images", shape, want, d)
	}
	return nil
}

// checkNewcomers checks that new sketches fit the sketches of the roster.
func (r *Roster) checkNewcomers(sketches []*Sketch) error {
	if len(sketches) == 0 {
		return nil
	}
	classes, _, err := checkSketches(sketches, r.Scatter)
	if err != nil {
		return err
	}
	if want := len(r.Sketches[0].Counts[0]); classes != want {
		return fmt.Errorf("the sketches have %d classes, but those of the roster have %d", classes, want)
	}
	return nil
}

// checkScatter checks the scatter matrix of new sketches, which may be nil.
func (r *Roster) checkScatter(scatter mat.Symmetric) error {
	if scatter == nil {
		return nil
	}
	if d, want := scatter.SymmetricDim(), r.Scatter.SymmetricDim(); d != want {
		return fmt.Errorf("the scatter matrix has %d features, but the scatter matrix of the roster has %d", d, want)
	}
	_, _, err := checkSketches(r.Sketches[:1], scatter)
	return err
}

// checkClients checks the numbers of clients. If ascending is set, they must be in ascending order.
func (r *Roster) checkClients(clients []int, ascending bool) error {
	for k, i := range clients {
		if i < 0 || i >= len(r.Sketches) {
			return fmt.Errorf("client %d is unknown: the clients are 0 to %d", i, len(r.Sketches)-1)
		}
		if ascending && k > 0 && i <= clients[k-1] {
			return fmt.Errorf("client %d follows client %d: they must be in ascending order", i, clients[k-1])
		}
	}
	return nil
}

// checkMembers returns an error if a client is not in exactly one of the clusters, or if members are not in ascending order.
func checkMembers(clusters [][]int, n int) error {
	seen := make([]bool, n)
	for z, members := range clusters {
		for k, i := range members {
			switch {
			case i < 0 || i >= n:
				return fmt.Errorf("cluster %d has client %d, but the clients are 0 to %d", z, i, n-1)
			case seen[i]:
				return fmt.Errorf("client %d is in two clusters, or twice in a cluster", i)
			case k > 0 && i < members[k-1]:
				return fmt.Errorf("cluster %d: client %d follows client %d: members must be in ascending order", z, i, members[k-1])
			}
			seen[i] = true
		}
	}
	for i, in := range seen {
		if !in {
			return fmt.Errorf("client %d is in no cluster", i)
		}
	}
	return nil
}
