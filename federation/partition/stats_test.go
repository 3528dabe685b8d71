package partition

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestHoldings(t *testing.T) {
	s := labelSet([]int{4, 2, 2}, []int{1, 1, 1})
	p := mustPartition(t, s, params("iid", func(o *Options) { o.Clients = 2 }), 1)
	at := classIndices(s.Train.Labels, 3)
	p.Shards[0].Train = slices.Clone(at[0])         // 4 0 0
	p.Shards[1].Train = slices.Concat(at[1], at[2]) // 0 2 2
	p.Shards[1].LabelMap = []uint8{2, 1, 0}         // labelled 2 2 0
	clients, all := p.Stats(s)                      // all clients: 6 2 0
	if want := []int{6, 2, 0}; !slices.Equal(all.Counts, want) || all.Samples != 8 {
		t.Fatalf("all %+v", all)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	if h := clients[0]; !near(h.Entropy, 0) || !near(h.Distance, 0.5) || h.Samples != 4 {
		t.Errorf("client 0: %+v", h) // |1 - 3/4| + |0 - 1/4|
	}
	if h := clients[1]; !near(h.Entropy, math.Ln2) || !near(h.Distance, 0.5) || !slices.Equal(h.Counts, []int{2, 2, 0}) {
		t.Errorf("client 1: %+v", h)
	}
	if !near(all.Entropy, -(0.75*math.Log(0.75)+0.25*math.Log(0.25))) || all.Distance != 0 {
		t.Errorf("all %+v", all)
	}
}

// TestImage and TrainImage return the test and training images of Materialise, and Samples has the labels that the client uses.
func TestSamplesAreWhatClientsSee(t *testing.T) {
	s := pictureSet(even(4, 30), even(4, 5), 3, 8, 8)
	p := mustPartition(t, s, params("concept-shift", func(o *Options) {
		o.Clients, o.MinSamples = 9, 1
		o.Extra = map[string]string{"base": "feature-skew", "corruptions": "clean,snow,gaussian_noise"}
	}), 1)
	m, q, err := p.Materialise(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, sh := range p.Shards {
		for k, j := range sh.Test {
			if !bytes.Equal(p.TestImage(s, i, int(j)), m.Image(m.Test, int(q.Shards[i].Test[k]))) {
				t.Fatalf("client %d sees test image %d otherwise than it is tested on", i, j)
			}
		}
		for _, j := range sh.Train {
			if !bytes.Equal(p.TrainImage(s, i, int(j)), m.Image(m.Train, int(j))) {
				t.Fatalf("client %d sees training image %d otherwise than it trains on", i, j)
			}
		}
	}
	for i, row := range p.Samples(s, [][]int{{0}, {1}, {2}, {3, 4, 5}}) {
		for l, sample := range row {
			if sample.Client < 0 {
				continue
			}
			sh := p.Shards[sample.Client]
			if got := sh.Label(s.Test.Labels[sample.Test]); int(got) != l || !slices.Contains(sh.Test, int32(sample.Test)) {
				t.Errorf("set %d, label %d: %+v has label %d", i, l, sample, got)
			}
		}
	}
}
