package partition

import (
	"bytes"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/federation/corruption"
	"feddag/federation/data"
	"feddag/internal/errtest"
	"feddag/internal/stream"
)

// pictureSet returns a labelSet with images of a given size.
func pictureSet(train, test []int, c, h, w int) *data.Set {
	s := labelSet(train, test)
	s.Channels, s.Height, s.Width = c, h, w
	s.Train.Pixels = noisyImage(1, s.Train.Len()*c*h*w)
	s.Test.Pixels = noisyImage(2, s.Test.Len()*c*h*w)
	for range c - 1 {
		s.Mean, s.Std = append(s.Mean, 0.5), append(s.Std, 0.5)
	}
	return s
}

// noisyImage returns an image of any shape.
func noisyImage(seed uint64, n int) []byte {
	r := stream.New(seed, "test/image")
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(128 + 100*math.Sin(float64(i)/9) + 20*r.Float64())
	}
	return b
}

// With kind IV, the samples are those of LDA. There is one part of the clients for each corruption, whose number is their group.
func TestFeatureSkew(t *testing.T) {
	s := pictureSet(even(10, 300), even(10, 20), 1, 8, 8)
	below := mustPartition(t, s, params("lda", nil), 5)
	p := mustPartition(t, s, params("feature-skew", nil), 5)
	if got := len(p.Views); got != 17 { // grey: all except saturate
		t.Errorf("%d views", got)
	}
	size := make([]int, 17)
	for i, sh := range p.Shards {
		if !slices.Equal(sh.Train, below.Shards[i].Train) || !slices.Equal(sh.Test, below.Shards[i].Test) {
			t.Fatalf("client %d has other samples than without", i)
		}
		if sh.View != p.Groups[i]+1 || p.Views[sh.View-1].Severity != 3 {
			t.Errorf("client %d of group %d has view %d of %v", i, p.Groups[i], sh.View, p.Views)
		}
		size[p.Groups[i]]++
	}
	if slices.Max(size)-slices.Min(size) > 1 {
		t.Errorf("corruptions of %v clients", size)
	}
	few := mustPartition(t, s, params("feature-skew", func(o *Options) {
		o.Clients, o.Extra = 5, map[string]string{"corruptions": "fog,clean,snow", "severity": "5", "base": "iid"}
	}), 1)
	if !slices.Equal(few.Views, []corruption.View{{Corruption: "fog", Severity: 5}, {Corruption: "snow", Severity: 5}}) || !slices.Equal(distinct(few.Groups), []int{0, 1, 2}) {
		t.Errorf("views %v, groups %v", few.Views, few.Groups)
	}
	for i, sh := range few.Shards {
		if want := []int{1, 0, 2}[few.Groups[i]]; sh.View != want {
			t.Errorf("client %d of group %d has view %d", i, few.Groups[i], sh.View)
		}
	}
	for _, c := range []struct {
		extra map[string]string
		words []string
	}{
		{map[string]string{"corruptions": "fog,frost"}, []string{"corruptions", "frost"}},
		{map[string]string{"corruptions": "fog,fog"}, []string{"fog", "twice"}},
		{map[string]string{"corruptions": ""}, []string{"corruption"}},
		{map[string]string{"corruptions": "saturate"}, []string{"saturate", "grey"}},
		{map[string]string{"severity": "6"}, []string{"severity=6", "1 to 5"}},
		{map[string]string{"base": "feature-skew"}, []string{"cannot be its own base"}},
		{map[string]string{"base": "concept-shift/feature-skew"}, []string{"cannot be its own base"}},
		{map[string]string{"base": "iid/lda"}, []string{"partition iid has no base"}},
	} {
		_, err := New(s, params("feature-skew", func(o *Options) { o.Extra = c.extra }), 1)
		errtest.Want(t, err, c.words...)
	}
}

// With concept shift over feature skew over label skew, the draws of each layer are the same as without the other layers.
func TestLayers(t *testing.T) {
	s := pictureSet(even(10, 300), even(10, 20), 1, 8, 8)
	with := func(kind, base string) *Partition {
		return mustPartition(t, s, params(kind, func(o *Options) {
			if base != "" {
				o.Extra = map[string]string{"base": base, "severity": "2"}
			}
		}), 5)
	}
	labels, features := with("label-skew", ""), with("feature-skew", "label-skew")
	concepts := mustPartition(t, s, params("concept-shift", func(o *Options) {
		o.Extra = map[string]string{"base": "label-skew"}
	}), 5)
	all := with("concept-shift", "feature-skew/label-skew")
	if got := all.Params.Extra["base"]; got != "feature-skew/label-skew" || all.Params.Kind != "concept-shift" {
		t.Errorf("recorded %+v", all.Params)
	}
	if !slices.Equal(all.Groups, concepts.Groups) || !slices.Equal(all.Views, features.Views) {
		t.Error("layers differ")
	}
	for i, sh := range all.Shards {
		if !slices.Equal(sh.Train, labels.Shards[i].Train) || sh.View != features.Shards[i].View ||
			!slices.Equal(sh.LabelMap, concepts.Shards[i].LabelMap) {
			t.Fatalf("client %d is not made of the layers", i)
		}
	}
	again := mustPartition(t, s, all.Params, 5)
	if !reflect.DeepEqual(again, all) {
		t.Error("the recorded options do not give the partition again")
	}
}

// Materialise changes only the images of clients that have a view. The same corruption gives the same image in all functions. The
// arguments do not change.
func TestMaterialise(t *testing.T) {
	s := pictureSet(even(5, 20), even(5, 4), 3, 8, 8)
	p := mustPartition(t, s, params("feature-skew", func(o *Options) {
		o.Clients, o.MinSamples, o.Extra = 6, 1, map[string]string{"corruptions": "clean,snow,contrast"}
	}), 3)
	train, test := bytes.Clone(s.Train.Pixels), bytes.Clone(s.Test.Pixels)
	before := *p
	m, q, err := p.Materialise(s)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Train.Pixels, train) || !bytes.Equal(s.Test.Pixels, test) || !reflect.DeepEqual(before, *p) {
		t.Fatal("what was given has changed")
	}
	if err := q.Check(m); err != nil {
		t.Fatal(err)
	}
	if m.Test.Len() != 3*s.Test.Len() || m.Train.Len() != s.Train.Len() || len(q.Views) != 0 {
		t.Fatalf("%d test images", m.Test.Len())
	}
	if !bytes.Equal(m.Test.Pixels[:len(test)], test) {
		t.Error("the first test images differ from those of the set")
	}
	for i, sh := range p.Shards {
		view := sh.View
		for _, j := range sh.Train {
			if same := bytes.Equal(m.Image(m.Train, int(j)), s.Image(s.Train, int(j))); same != (view == 0) {
				t.Errorf("client %d in view %d: is its training image %d as it was? %v", i, view, j, same)
			}
		}
		if len(q.Shards[i].Test) != len(sh.Test) {
			t.Fatalf("client %d has %d test images, had %d", i, len(q.Shards[i].Test), len(sh.Test))
		}
		for k, j := range q.Shards[i].Test {
			was := sh.Test[k]
			if m.Test.Labels[j] != s.Test.Labels[was] {
				t.Fatalf("client %d: test image %d has another label", i, j)
			}
			same := bytes.Equal(m.Image(m.Test, int(j)), s.Image(s.Test, int(was)))
			if same != (view == 0) {
				t.Errorf("client %d in view %d: is its test image %d as it was? %v", i, view, was, same)
			}
		}
	}
	// A deterministic corruption equals the result of Apply.
	for i, sh := range p.Shards {
		if sh.View == 0 || p.Views[sh.View-1].Corruption != "contrast" {
			continue
		}
		j := int(sh.Train[0])
		want := make([]byte, s.ImageSize())
		p.Views[sh.View-1].Apply(want, s.Image(s.Train, j), 3, 8, 8, nil)
		if !bytes.Equal(m.Image(m.Train, j), want) {
			t.Errorf("client %d: the image under contrast differs", i)
		}
	}
	old := runtime.GOMAXPROCS(1)
	one, _, err := p.Materialise(s)
	runtime.GOMAXPROCS(old)
	if err != nil || !bytes.Equal(one.Train.Pixels, m.Train.Pixels) || !bytes.Equal(one.Test.Pixels, m.Test.Pixels) {
		t.Error("the number of cores matters")
	}
	plain := mustPartition(t, s, params("iid", func(o *Options) { o.Clients = 4 }), 1)
	if m, q, err := plain.Materialise(s); err != nil || m != s || q != plain {
		t.Error("a partition without views is not left as it is")
	}
}

// Test images in too many views are rejected before anything is allocated. A view that the images cannot have is also rejected.
func TestMaterialiseBad(t *testing.T) {
	s := pictureSet(even(5, 20), even(5, 4), 1, 8, 8)
	p := mustPartition(t, s, params("iid", func(o *Options) { o.Clients = 4 }), 1)
	errtest.Want(t, fitsViews(s, 1<<24), "20 test images", "fewer corruptions")
	if err := fitsViews(s, 1<<20); err != nil {
		t.Error(err)
	}
	p.Views = []corruption.View{{Corruption: "saturate", Severity: 1}}
	_, _, err := p.Materialise(s)
	errtest.Want(t, err, "labels", "saturate", "grey")
	p.Views = []corruption.View{{Corruption: "fogg", Severity: 1}}
	_, _, err = p.Materialise(s)
	errtest.Want(t, err, "view 1", "did you mean fog?")
	p.Views, p.Shards[2].View = []corruption.View{{Corruption: "fog", Severity: 1}}, 2
	errtest.Want(t, p.Check(s), "client 2", "view 2")
}

// Clients hold images of one domain, which is their group, and are tested on this domain.
func TestDomains(t *testing.T) {
	s := labelSet(even(5, 200), even(5, 20))
	s.UserNames = []string{"photo", "sketch", "empty", "cartoon"}
	for i := range s.Train.Len() {
		s.Train.Users = append(s.Train.Users, []int32{0, 1, 1, 3}[i%4])
	}
	for i := range s.Test.Len() {
		s.Test.Users = append(s.Test.Users, []int32{0, 1, 1, 1}[i%4]) // cartoon has no such images
	}
	for _, clients := range []int{2, 3, 10, 11} {
		p := mustPartition(t, s, params("domains", func(o *Options) { o.Clients = clients }), 3)
		domain := map[int]int32{}
		for i, sh := range p.Shards {
			u := s.Train.Users[sh.Train[0]]
			if was, ok := domain[p.Groups[i]]; ok && was != u {
				t.Fatalf("group %d has domains %d and %d", p.Groups[i], was, u)
			}
			domain[p.Groups[i]] = u
			held := heldLabels(p, s)[i]
			for _, j := range sh.Train {
				if s.Train.Users[j] != u {
					t.Fatalf("client %d has images of domains %d and %d", i, u, s.Train.Users[j])
				}
			}
			for _, j := range sh.Test {
				if u != 3 && s.Test.Users[j] != u || !slices.Contains(held, int(s.Test.Labels[j])) {
					t.Fatalf("client %d of domain %d tests on domain %d, label %d", i, u, s.Test.Users[j], s.Test.Labels[j])
				}
			}
		}
		if len(domain) != min(clients, 3) {
			t.Errorf("%d clients: domains %v", clients, domain)
		}
		if got := sum(p.Sizes()); clients >= 3 && got != 1000 {
			t.Errorf("%d samples dealt out", got)
		}
	}
	_, err := New(s, params("domains", func(o *Options) { o.Clients = 600 }), 1)
	errtest.Want(t, err, "--clients", "photo")
	_, err = New(s, params("domains", func(o *Options) { o.Clients = 100 }), 1)
	errtest.Want(t, err, "--min-samples", "photo")
	_, err = New(labelSet(even(2, 90), even(2, 9)), params("domains", nil), 1)
	errtest.Want(t, err, "domain")
	if !strings.Contains(Help("domains"), "--concentration") {
		t.Error("no help")
	}
}
