package deal

import (
	"slices"
	"testing"
)

// TestLongest compares with distributions made by hand, and checks that every piece has one worker.
func TestLongest(t *testing.T) {
	if got, want := Longest([]int64{1, 5, 3, 3, 0}, 2), []int{0, 0, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("dealt to %v, not %v", got, want)
	}
	if got, want := Longest([]int64{2, 2, 2}, 1), []int{0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("one worker: dealt to %v", got)
	}
	owner := Longest(make([]int64, 10), 3) // pieces without costs are also distributed evenly
	var all []int
	for w := range 3 {
		mine := Of(owner, w)
		if len(mine) < 3 {
			t.Errorf("worker %d has %v", w, mine)
		}
		all = append(all, mine...)
	}
	if slices.Sort(all); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("the workers have %v", all)
	}
	if got := Longest(nil, 2); len(got) != 0 {
		t.Errorf("nothing was dealt to %v", got)
	}
}
