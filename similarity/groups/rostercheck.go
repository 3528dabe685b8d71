package groups

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// checkShape reports a shape whose images have another number of features. The zero Shape is unknown.
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

// checkNewcomers checks new sketches against those of the roster.
func (r *Roster) checkNewcomers(sketches []*Sketch) error {
	if len(sketches) == 0 {
		return nil
	}
	classes, _, err := checkSketches(sketches, r.Scatter)
	if err != nil {
		return err
	}
	if want := len(r.Sketches[0].Counts[0]); classes != want {
		return fmt.Errorf("the sketches have %d classes, but those of the roster %d", classes, want)
	}
	return nil
}

// checkScatter checks the scatter of new sketches; nil is none.
func (r *Roster) checkScatter(scatter mat.Symmetric) error {
	if scatter == nil {
		return nil
	}
	if d, want := scatter.SymmetricDim(), r.Scatter.SymmetricDim(); d != want {
		return fmt.Errorf("the scatter is of %d features, but that of the roster of %d", d, want)
	}
	_, _, err := checkSketches(r.Sketches[:1], scatter)
	return err
}

// checkClients checks the numbers of clients, which ascend.
func (r *Roster) checkClients(clients []int, ascending bool) error {
	for k, i := range clients {
		if i < 0 || i >= len(r.Sketches) {
			return fmt.Errorf("client %d: the clients are 0 to %d", i, len(r.Sketches)-1)
		}
		if ascending && k > 0 && i <= clients[k-1] {
			return fmt.Errorf("client %d follows %d: their numbers must ascend", i, clients[k-1])
		}
	}
	return nil
}

// checkMembers reports a client that is not in exactly one of the clusters, and members that do not ascend.
func checkMembers(clusters [][]int, n int) error {
	seen := make([]bool, n)
	for z, members := range clusters {
		for k, i := range members {
			switch {
			case i < 0 || i >= n:
				return fmt.Errorf("cluster %d holds client %d: the clients are 0 to %d", z, i, n-1)
			case seen[i]:
				return fmt.Errorf("client %d is in two clusters, or twice in one", i)
			case k > 0 && i < members[k-1]:
				return fmt.Errorf("cluster %d: client %d follows %d: members must ascend", z, i, members[k-1])
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
