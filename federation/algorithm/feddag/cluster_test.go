package feddag

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestPlantedGroupsAreFound checks that the clusters are the two planted groups.
func TestPlantedGroupsAreFound(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star").(*FedDAG)
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if c := a.Clusters(); len(c) != 2 || !slices.Equal(c[0], []int{0, 2, 4, 6}) || !slices.Equal(c[1], []int{1, 3, 5, 7}) {
		t.Errorf("clusters %v", c)
	}
}
