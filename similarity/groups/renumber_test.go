package groups

import (
	"reflect"
	"strings"
	"testing"
)

// TestRenumber checks that clusters get their new numbers together with their label clusters, and that numbers which are already
// used, too large or too few give an error that changes nothing.
func TestRenumber(t *testing.T) {
	r := &Roster{Clusters: [][]int{{0, 2}, {1}}, labelOf: []int{5, 7}}
	for says, numbers := range map[string][]int{"1 numbers for 2 clusters": {0}, "cluster 1 gets number 3, which must be below 3": {0, 3}, "cluster 1 gets number 2": {2, 2}, "number -1": {-1, 0}} {
		if err := r.Renumber(numbers, 3); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("numbers %v: the error is %v, want %q", numbers, err, says)
		}
	}
	if err := r.Renumber([]int{2, 0}, 3); err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{1}, nil, {0, 2}}; !reflect.DeepEqual(r.Clusters, want) || r.labelOf[0] != 7 || r.labelOf[2] != 5 {
		t.Errorf("clusters %v, label clusters %v, want %v", r.Clusters, r.labelOf, want)
	}
}
