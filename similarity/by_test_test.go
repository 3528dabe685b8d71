package similarity

import (
	"reflect"
	"strings"
	"testing"

	"feddag/similarity/groups"
)

// TestClusterByTest checks that the clusters are those that were found, that everything else is what Cluster computes, and that
// found clusters which are not of these clients give an error.
func TestClusterByTest(t *testing.T) {
	sketches, _ := synthetic(12, 3, 4, 20, 2, 5)
	found := &groups.Result{Clusters: [][]int{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9, 10, 11}}}
	o := DefaultOptions()
	searched, err := Cluster(sketches, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Choose = "count:12" // must have no effect
	r, err := ClusterByTest(sketches, found, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Test != found || !reflect.DeepEqual(r.Clusters, found.Clusters) || r.Candidates != nil || r.Dendrogram != nil {
		t.Errorf("the result is %+v", r)
	}
	if !reflect.DeepEqual(r.Proximity, searched.Proximity) || searched.Test != nil {
		t.Error("the proximity matrix is another one than that of Cluster")
	}
	counts := make([][]int, len(sketches))
	for i, s := range sketches {
		counts[i] = s.Counts
	}
	h, graph, err := CCGraph(counts, searched.ClassAngles, found.Clusters, o.TopK, o.Alignment)
	if err != nil || !reflect.DeepEqual(graph, r.Graph) || !reflect.DeepEqual(h, r.Complementarity) {
		t.Errorf("the CC-graph is %v, want %v (%v)", r.Graph, graph, err)
	}
	if _, err := Stability([][]float64{{1}}, r, o, 0.5, 1, nil); err == nil || !strings.Contains(err.Error(), "found by tests") {
		t.Errorf("stability: the error is %v", err)
	}
	for name, clusters := range map[string][][]int{
		"client 11 is in no cluster":  {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"client 0 is in two clusters": {{0, 1, 2, 3, 4}, {0, 5, 6, 7, 8, 9, 10, 11}},
		"cluster 0 holds client 12":   {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"client 0 is in no cluster":   nil,
		"cluster 0 is empty":          {nil, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		if _, err := ClusterByTest(sketches, &groups.Result{Clusters: clusters}, o, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error is %v, want %q", err, name)
		}
	}
}
