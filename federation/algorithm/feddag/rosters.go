package feddag

import (
	"fmt"

	"feddag/similarity"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// roster is the server's record of the clustering while clients join, leave and change: a [similarity.Roster] or a
// [groups.Roster]. Clients are numbered by their position in it. A method that returns an error has changed nothing.
type roster interface {
	// members returns the positions of each cluster's members, ascending, indexed by the number of the cluster. A dissolved
	// cluster has no members.
	members() [][]int
	// renumber gives cluster k the number numbers[k], which is below count. The other numbers belong to dissolved clusters.
	renumber(numbers []int, count int) error
	// add adds newcomers after the last position, and assigns them to clusters.
	add(s similarity.Sketches) error
	// replace replaces the sketches of the clients at some positions and assigns these clients again. The positions are
	// ascending and must not be all.
	replace(places []int, s similarity.Sketches) error
	remove(places []int) error
	// graph returns H and the CC-graph of the clusters as they are now.
	graph() (*mat.Dense, [][]int, error)
	// sketches returns what all clients have sent, by position.
	sketches() similarity.Sketches
	save() ([]byte, error)
	// clone returns a copy that can change without changing the original.
	clone() roster
}

// newRoster returns a roster with the result of a clustering of sketches with the options o.
func newRoster(s similarity.Sketches, result *similarity.Result, o similarity.Options) (roster, error) {
	if result.Roster != nil {
		return &testRoster{result.Roster.Clone(), o.TopK}, nil
	}
	r, err := similarity.NewRoster(s.(similarity.Vectors), result, o)
	return &similarityRoster{r}, err
}

// readRoster returns the roster that save has encoded.
func readRoster(raw []byte, clustersBy string, o similarity.Options) (roster, error) {
	if clustersBy == ClustersByTest {
		r, err := groups.ReadRoster(raw, o.GroupOptions())
		return &testRoster{r, o.TopK}, err
	}
	r, err := similarity.ReadRoster(raw, o)
	return &similarityRoster{r}, err
}

// similarityRoster is the roster with ClustersBySimilarity.
type similarityRoster struct{ *similarity.Roster }

func (r *similarityRoster) members() [][]int { return r.Clusters }

func (r *similarityRoster) renumber(numbers []int, count int) error {
	clusters := make([][]int, count)
	for k, z := range numbers {
		clusters[z] = r.Clusters[k]
	}
	r.Clusters = clusters
	return nil
}

func (r *similarityRoster) add(s similarity.Sketches) error {
	_, err := r.Add(s.(similarity.Vectors))
	return err
}

func (r *similarityRoster) replace(places []int, s similarity.Sketches) error {
	_, err := r.Replace(places, s.(similarity.Vectors))
	return err
}

func (r *similarityRoster) remove(places []int) error           { return r.Remove(places...) }
func (r *similarityRoster) graph() (*mat.Dense, [][]int, error) { return r.CCGraph() }
func (r *similarityRoster) sketches() similarity.Sketches       { return similarity.Vectors(r.Sketches) }
func (r *similarityRoster) save() ([]byte, error)               { return r.Save() }

func (r *similarityRoster) clone() roster {
	c := *r.Roster
	return &similarityRoster{&c}
}

// testRoster is the roster with ClustersByTest.
type testRoster struct {
	*groups.Roster
	topK int // number of sources in the CC-graph
}

func (r *testRoster) members() [][]int                        { return r.Clusters }
func (r *testRoster) renumber(numbers []int, count int) error { return r.Renumber(numbers, count) }

func (r *testRoster) add(s similarity.Sketches) error {
	f := s.(*similarity.Features)
	_, err := r.Add(f.Sketches, f.Scatter)
	return err
}

func (r *testRoster) replace(places []int, s similarity.Sketches) error {
	f := s.(*similarity.Features)
	_, err := r.Replace(places, f.Sketches, f.Scatter)
	return err
}

func (r *testRoster) remove(places []int) error           { return r.Remove(places...) }
func (r *testRoster) graph() (*mat.Dense, [][]int, error) { return r.CCGraph(r.topK) }
func (r *testRoster) save() ([]byte, error)               { return r.Save() }
func (r *testRoster) clone() roster                       { return &testRoster{r.Clone(), r.topK} }

func (r *testRoster) sketches() similarity.Sketches {
	return &similarity.Features{Shape: r.Shape, Sketches: r.Sketches, Scatter: r.ScatterNow()}
}

// inOrder returns the sketches at positions order[0], order[1], ... of s.
func inOrder(s similarity.Sketches, order []int) similarity.Sketches {
	switch s := s.(type) {
	case similarity.Vectors:
		sorted := make(similarity.Vectors, len(order))
		for i, k := range order {
			sorted[i] = s[k]
		}
		return sorted
	case *similarity.Features:
		sorted := &similarity.Features{Shape: s.Shape, Scatter: s.Scatter}
		for _, k := range order {
			sorted.Sketches = append(sorted.Sketches, s.Sketches[k])
		}
		return sorted
	}
	panic(fmt.Sprintf("sketches of type %T", s))
}
