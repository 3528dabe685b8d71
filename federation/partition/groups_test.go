package partition

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"feddag/federation/data"
	"feddag/internal/errtest"
)

// heldLabels returns the labels of the set that each client holds, ascending, before label maps.
func heldLabels(p *Partition, s *data.Set) [][]int {
	held := make([][]int, len(p.Shards))
	for i, sh := range p.Shards {
		for _, j := range sh.Train {
			held[i] = append(held[i], int(s.Train.Labels[j]))
		}
		slices.Sort(held[i])
		held[i] = slices.Compact(held[i])
	}
	return held
}

// distinct returns the distinct values, ascending.
func distinct(x []int) []int { return slices.Compact(slices.Sorted(slices.Values(x))) }

// With kind V there are 11 distinct pairs, a client's group is its pair, and all samples of the labels in any pair are assigned.
func TestPairsGroups(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	for seed := range uint64(50) {
		p := mustPartition(t, s, params("pairs", nil), seed)
		sets, seen, total := map[int]string{}, map[string]bool{}, map[int]bool{}
		for i, held := range heldLabels(p, s) {
			if len(held) != 2 {
				t.Fatalf("seed %d: client %d holds %v", seed, i, held)
			}
			pair := fmt.Sprint(held)
			if other, ok := sets[p.Groups[i]]; ok && other != pair {
				t.Fatalf("seed %d: client %d of group %d holds %s, others %s", seed, i, p.Groups[i], pair, other)
			}
			sets[p.Groups[i]], seen[pair] = pair, true
			total[held[0]], total[held[1]] = true, true
		}
		if len(sets) != 11 || len(seen) != 11 {
			t.Errorf("seed %d: %d groups, %d pairs, must be 11", seed, len(sets), len(seen))
		}
		if got := sum(p.Sizes()); got != 600*len(total) {
			t.Errorf("seed %d: %d samples of %d labels dealt out", seed, got, len(total))
		}
	}
	// Fewer classes, or clients, have fewer pairs.
	for _, c := range []struct{ classes, clients, want int }{{3, 20, 3}, {2, 20, 1}, {10, 4, 4}} {
		s := labelSet(even(c.classes, 100), even(c.classes, 10))
		p := mustPartition(t, s, params("pairs", func(o *Options) { o.Clients = c.clients }), 1)
		if got := distinct(p.Groups); len(got) != c.want {
			t.Errorf("%+v: groups %v", c, got)
		}
	}
	_, err := New(s, params("pairs", func(o *Options) { o.Extra = map[string]string{"pairs": "46"} }), 1)
	errtest.Want(t, err, "--partition-option pairs=46", "1 to 45")
}

// With kind II, samples and test sets are those of the kind below. The clients are in three concepts of equal size, and a
// concept's map is the same for training and test images.
func TestConceptShift(t *testing.T) {
	for _, kind := range Kinds() {
		if kind == "concept-shift" {
			continue
		}
		s := richSet(kind, even(10, 600), even(10, 10))
		below := mustPartition(t, s, params(kind, nil), 3)
		p := mustPartition(t, s, params("concept-shift", func(o *Options) { o.Extra = map[string]string{"base": kind} }), 3)
		size := make([]int, 3)
		for i, sh := range p.Shards {
			if !slices.Equal(sh.Train, below.Shards[i].Train) || !slices.Equal(sh.Test, below.Shards[i].Test) {
				t.Fatalf("over %s: client %d has other samples than without", kind, i)
			}
			size[p.Groups[i]]++
			for y := range uint8(10) {
				want := []uint8{y, 9 - y, (y + 1) % 10}[p.Groups[i]]
				if sh.Label(y) != want {
					t.Fatalf("concept %d calls class %d %d, must be %d", p.Groups[i], y, sh.Label(y), want)
				}
			}
			// A client is trained and tested on the same labels.
			trained, tested := map[uint8]bool{}, map[uint8]bool{}
			for _, j := range sh.Train {
				trained[sh.Label(s.Train.Labels[j])] = true
			}
			for _, j := range sh.Test {
				tested[sh.Label(s.Test.Labels[j])] = true
			}
			if !reflect.DeepEqual(trained, tested) {
				t.Fatalf("over %s: client %d trains on labels %v, tests on %v", kind, i, trained, tested)
			}
		}
		if slices.Max(size)-slices.Min(size) > 1 {
			t.Errorf("concepts of %v clients", size)
		}
	}
}

func TestConceptMaps(t *testing.T) {
	for classes, want := range []int{0, 1, 2, 3, 5, 6} {
		if classes == 0 {
			continue
		}
		maps := conceptMaps(classes)
		if classes == 3 {
			want = 4 // identity, reversal, two rotations
		}
		if len(maps) != want {
			t.Errorf("%d classes: %d maps, must be %d", classes, len(maps), want)
		}
		seen := map[string]bool{}
		for _, m := range maps {
			used := make([]bool, classes)
			for _, l := range m {
				used[l] = true
			}
			if m != nil && slices.Contains(used, false) {
				t.Errorf("%d classes: %v is not a permutation", classes, m)
			}
			seen[fmt.Sprint(m)] = true
		}
		if len(seen) != len(maps) {
			t.Errorf("%d classes: equal maps in %v", classes, maps)
		}
	}
}

func TestConceptShiftOptions(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	five := mustPartition(t, s, params("concept-shift", func(o *Options) {
		o.Extra = map[string]string{"base": "labels", "labels": "4", "concepts": "5"}
	}), 1)
	if got := distinct(five.Groups); len(got) != 5 {
		t.Errorf("concepts %v", got)
	}
	if held := heldLabels(five, s)[0]; len(held) != 4 {
		t.Errorf("the option of the kind below is lost: %v", held)
	}
	for _, c := range []struct {
		extra map[string]string
		words []string
	}{
		{map[string]string{"base": "ldaa"}, []string{"base", "did you mean lda?"}},
		{map[string]string{"base": "concept-shift"}, []string{"base", "concept-shift"}},
		{map[string]string{"concepts": "12"}, []string{"concepts=12", "1 to 11"}},
		{map[string]string{"concepts": "x"}, []string{"concepts=x"}},
		{map[string]string{"labels": "2"}, []string{"labels"}}, // the kind below is LDA, which does not have this option
		{map[string]string{"base": "labels", "labels": "11"}, []string{"labels=11", "10 classes"}},
	} {
		_, err := New(s, params("concept-shift", func(o *Options) { o.Extra = c.extra }), 1)
		errtest.Want(t, err, c.words...)
	}
}

// Every client has k labels, the labels have similar numbers of clients, and each label is divided evenly.
func TestLabels(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	for k := 1; k <= 10; k++ {
		p := mustPartition(t, s, params("labels", func(o *Options) {
			o.Extra = map[string]string{"labels": fmt.Sprint(k)}
		}), uint64(k))
		holders := make([]int, 10)
		for i, held := range heldLabels(p, s) {
			if len(held) != k {
				t.Fatalf("client %d holds %v, must be %d labels", i, held, k)
			}
			for _, l := range held {
				holders[l]++
			}
		}
		if slices.Max(holders)-slices.Min(holders) > 1 {
			t.Errorf("%d labels each: held by %v clients", k, holders)
		}
		if got := sum(p.Sizes()); got != 6000 {
			t.Errorf("%d samples dealt out", got)
		}
		for l := range 10 {
			for _, row := range p.Counts(s) {
				if n := row[l]; n > 0 && (n < 600/holders[l] || n > 600/holders[l]+1) {
					t.Fatalf("%d labels each: a client has %d of label %d, held by %d", k, n, l, holders[l])
				}
			}
		}
	}
}

// Every client holds the classes of one superclass, which is its group.
func TestSuperclass(t *testing.T) {
	s := richSet("superclass", even(20, 300), even(20, 5))
	for _, clients := range []int{3, 10, 100, 1000} {
		p := mustPartition(t, s, params("superclass", func(o *Options) { o.Clients = clients }), 2)
		of := map[int]int{} // superclass by group
		for i, held := range heldLabels(p, s) {
			super := held[0] / 2
			if len(held) != 2 || held[1]/2 != super {
				t.Fatalf("client %d holds %v", i, held)
			}
			if x, ok := of[p.Groups[i]]; ok && x != super {
				t.Fatalf("group %d has superclasses %d and %d", p.Groups[i], x, super)
			}
			of[p.Groups[i]] = super
		}
		if want := min(clients, 10); len(of) != want {
			t.Errorf("%d clients: %d superclasses, must be %d", clients, len(of), want)
		}
	}
	_, err := New(labelSet(even(10, 60), even(10, 5)), params("superclass", nil), 1)
	errtest.Want(t, err, "superclass", "cifar100")
}

// With as many clients as samples of each class, only groups of equal size have enough samples.
func TestCrowdedRepair(t *testing.T) {
	s := richSet("superclass", even(10, 20), even(10, 5))
	p := mustPartition(t, s, params("superclass", func(o *Options) { o.Clients = 100 }), 1)
	if got := sum(p.Sizes()); got != 200 {
		t.Errorf("%d samples dealt out", got)
	}
}

// A client is a user. Users with too few images are left out, and a user that has test images is tested on them.
func TestNatural(t *testing.T) {
	s := labelSet([]int{20, 20}, []int{6, 6})
	s.UserNames = []string{"a", "b", "c", "d"}
	for i := range s.Train.Len() {
		s.Train.Users = append(s.Train.Users, []int32{0, 1, 1, 2, 2, 2, 2, 2, 2, 2}[i%10])
	}
	for i := range s.Test.Len() {
		s.Test.Users = append(s.Test.Users, int32(i%2)) // c has no test images
	}
	p := mustPartition(t, s, params("natural", func(o *Options) { o.Clients = 3 }), 1)
	if got := p.Sizes(); !slices.Equal(got, []int{4, 8, 28}) {
		t.Errorf("sizes %v", got)
	}
	for i, sh := range p.Shards {
		for _, j := range sh.Train {
			if s.Train.Users[j] != int32(i) {
				t.Fatalf("client %d has an image of user %d", i, s.Train.Users[j])
			}
		}
	}
	if len(p.Shards[0].Test) != 6 || len(p.Shards[1].Test) != 6 || len(p.Shards[2].Test) != 12 {
		t.Errorf("test sets of %d, %d, %d images", len(p.Shards[0].Test), len(p.Shards[1].Test), len(p.Shards[2].Test))
	}
	if n := p.Unassigned(s); n != 0 || !p.CountsClients() {
		t.Errorf("%d samples of no client", n)
	}
	// Without a number of clients, all users are clients, also for a layered kind.
	for _, o := range []Options{
		params("natural", func(o *Options) { o.Clients = 0 }),
		params("concept-shift", func(o *Options) { o.Clients, o.Extra = 0, map[string]string{"base": "natural", "concepts": "2"} }),
	} {
		all := mustPartition(t, s, o, 1)
		if got := all.Sizes(); !slices.Equal(got, []int{4, 8, 28}) || all.Params.Clients != 3 || !CountsClients(o) {
			t.Errorf("%s: sizes %v of %d clients", o.Kind, got, all.Params.Clients)
		}
	}
	large := mustPartition(t, s, params("natural", func(o *Options) { o.Clients, o.Extra = 0, map[string]string{"min-user-samples": "8"} }), 1)
	if got := large.Sizes(); !slices.Equal(got, []int{8, 28}) || large.Unassigned(s) != 4 {
		t.Errorf("sizes %v, %d samples of no client", got, large.Unassigned(s))
	}
	_, err := New(s, params("natural", func(o *Options) { o.Clients, o.Extra = 0, map[string]string{"min-user-samples": "30"} }), 1)
	errtest.Want(t, err, "natural", "min-user-samples")
	if CountsClients(params("lda", nil)) {
		t.Error("lda counts clients")
	}
	few := params("natural", func(o *Options) {
		o.Clients, o.Extra = 3, map[string]string{"min-user-samples": "8"}
	})
	_, err = New(s, few, 1)
	errtest.Want(t, err, "--clients 3", "2 users", "8 or more", "leave it out")
	_, err = New(labelSet(even(2, 90), even(2, 9)), params("natural", nil), 1)
	errtest.Want(t, err, "natural", "the users of its images")
}

// The given share of the clients is held out with every kind, and the samples of the clients do not depend on it.
func TestHoldout(t *testing.T) {
	for _, kind := range Kinds() {
		s := richSet(kind, even(10, 600), even(10, 10))
		all := mustPartition(t, s, params(kind, nil), 4)
		if all.HeldOut != nil {
			t.Errorf("%s: held out without being asked: %v", kind, all.HeldOut)
		}
		p := mustPartition(t, s, params(kind, func(o *Options) { o.Holdout = 0.2 }), 4)
		if len(p.HeldOut) != 20 || !slices.IsSorted(p.HeldOut) || !reflect.DeepEqual(all.Shards, p.Shards) {
			t.Errorf("%s: held out %v", kind, p.HeldOut)
		}
		for i := range p.Shards {
			if p.IsHeldOut(i) != slices.Contains(p.HeldOut, i) {
				t.Errorf("IsHeldOut(%d) is %v", i, p.IsHeldOut(i))
			}
		}
	}
	s := labelSet(even(10, 600), even(10, 10))
	for _, c := range []struct {
		clients int
		share   float64
		want    int
	}{{2, 0.001, 1}, {2, 0.999, 1}, {10, 0.25, 3}, {10, 0.999, 9}} {
		p := mustPartition(t, s, params("iid", func(o *Options) { o.Clients, o.Holdout = c.clients, c.share }), 1)
		if len(p.HeldOut) != c.want {
			t.Errorf("%+v: held out %v", c, p.HeldOut)
		}
	}
	for _, share := range []float64{-0.1, 1, 2} {
		_, err := New(s, params("iid", func(o *Options) { o.Holdout = share }), 1)
		errtest.Want(t, err, "--holdout")
	}
	p := mustPartition(t, s, params("iid", func(o *Options) { o.Clients = 3 }), 1)
	for _, held := range [][]int{{0, 1, 2}, {1, 0}, {1, 1}, {3}, {-1}} {
		p.HeldOut = held
		errtest.Want(t, p.Check(s), "held")
	}
}

// A client keeps the given share of each class, and therefore its classes, its test set and its group.
func TestTrainShare(t *testing.T) {
	s := labelSet([]int{30, 30, 30, 30}, []int{4, 4, 4, 4})
	for _, kind := range []string{"label-skew", "concept-shift", "iid"} {
		change := func(share float64) Options {
			return params(kind, func(o *Options) {
				o.Clients, o.Groups, o.LabelsPerGroup, o.MinSamples, o.TrainShare = 6, 3, 2, 2, share
			})
		}
		all, some := mustPartition(t, s, change(1), 3), mustPartition(t, s, change(0.3), 3)
		if !reflect.DeepEqual(all, mustPartition(t, s, change(0), 3)) {
			t.Errorf("%s: a share of 1 is not all", kind)
		}
		for i := range all.Shards {
			var had, has [256]int
			for _, k := range all.Shards[i].Train {
				had[s.Train.Labels[k]]++
			}
			for _, k := range some.Shards[i].Train {
				has[s.Train.Labels[k]]++
				if !slices.Contains(all.Shards[i].Train, k) {
					t.Fatalf("%s: client %d gained sample %d", kind, i, k)
				}
			}
			for label, n := range had {
				if want := int(math.Round(0.3 * float64(n))); has[label] != want && !(want == 0 && n > 0 && has[label] == 1) {
					t.Errorf("%s: client %d keeps %d of %d samples of class %d", kind, i, has[label], n, label)
				}
			}
			if !slices.Equal(all.Shards[i].Test, some.Shards[i].Test) {
				t.Errorf("%s: client %d has another test set", kind, i)
			}
		}
		if !slices.Equal(all.Groups, some.Groups) {
			t.Errorf("%s: other groups", kind)
		}
	}
	for _, share := range []float64{-0.1, 1.1, math.NaN()} {
		_, err := New(s, params("iid", func(o *Options) { o.TrainShare = share }), 1)
		errtest.Want(t, err, "--train-share")
	}
}
