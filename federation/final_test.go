package federation

import (
	"math"
	"slices"
	"testing"
)

// Held-out clients come after the last round: they are scored before and after one local training, and change nothing of
// what the others came to.
func TestHeldOutClientsAreScored(t *testing.T) {
	for _, name := range []string{"fedavg", "feddag", "local"} {
		var models map[string][]float32
		var rest []PrePost
		for _, post := range []bool{true, false} {
			e, a := tinyEnv(t, 2), algorithm(t, name)
			e.Clients[3].HeldOut, e.Clients[6].HeldOut, e.FinalPost = true, true, post
			r := mustRun(t, e, a, RunOptions{Algorithm: name})
			if !slices.Equal(r.HeldOut, []int{3, 6}) {
				t.Errorf("%s: held out: %v", name, r.HeldOut)
			}
			for _, i := range r.HeldOut {
				s := r.Last[i]
				if math.IsNaN(s.Pre.Balanced) || math.IsNaN(s.Post.Balanced) == post {
					t.Errorf("%s: client %d has %+v", name, i, s)
				}
			}
			for i, s := range r.Last {
				if math.IsNaN(s.Pre.Balanced) {
					t.Errorf("%s: client %d has no score", name, i)
				}
			}
			if post {
				models, rest = weights(t, a), r.Last
				continue
			}
			for model, x := range weights(t, a) {
				if !slices.Equal(models[model], x) {
					t.Errorf("%s: the final training changed %s", name, model)
				}
			}
			for i := range rest {
				if !sameScore(rest[i].Pre, r.Last[i].Pre) {
					t.Errorf("%s: client %d: the final training changed its score before it", name, i)
				}
			}
		}
	}
}
