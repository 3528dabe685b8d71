package partition

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/federation/data"
	"feddag/internal/errtest"
)

// For every kind, and for many sizes, concentrations and seeds, New terminates, Check returns no error (no index occurs twice, no
// client is empty), and a client's test set has all test samples of its classes.
func TestPartitionProperties(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := richSet(kind, even(10, 6000), even(10, 100))
			for _, clients := range []int{2, 3, 10, 100, 1000, 10000} {
				for _, concentration := range []float64{0.001, 0.1, 1, 1000} {
					seeds := uint64(3)
					if clients >= 1000 {
						seeds = 1
					}
					if clients == 10000 && concentration != 0.001 && concentration != 1000 {
						continue // only the ends of the range could fail to terminate
					}
					for seed := range seeds {
						if seed > 0 && (kind == "domains" || kinds[kind].layered) {
							continue // they use LDA
						}
						o := params(kind, func(o *Options) {
							o.Clients, o.Concentration = clients, concentration
							o.Groups = min(o.Groups, clients)
							o.MinSamples = min(o.MinSamples, s.Train.Len()/clients)
							if kinds[kind].layered && clients == 10000 {
								o.Extra = map[string]string{"base": "iid"}
							}
						})
						p := mustPartition(t, s, o, seed)
						if len(p.Shards) != clients {
							t.Fatalf("%d shards for %d clients", len(p.Shards), clients)
						}
						for i, row := range p.Counts(s) {
							held := 0
							for _, k := range row {
								if k > 0 {
									held++
								}
							}
							if len(p.Shards[i].Test) != 100*held {
								t.Fatalf("%+v: client %d holds %d classes and %d test samples", o, i, held, len(p.Shards[i].Test))
							}
							if kind == "lda" && len(p.Shards[i].Train) < o.MinSamples {
								t.Fatalf("%+v: client %d has %d samples", o, i, len(p.Shards[i].Train))
							}
						}
					}
				}
			}
		})
	}
}

// The sets are small or unbalanced, so that minimum sizes, empty classes and rare labels occur.
func TestPartitionSmallSets(t *testing.T) {
	for _, kind := range Kinds() {
		for _, train := range [][]int{{5, 5}, {1, 40}, {0, 30, 30, 30}, even(10, 7), even(100, 3), {200}} {
			s := richSet(kind, train, even(len(train), 2))
			for _, clients := range []int{1, 2, 5, 10} {
				for seed := range uint64(20) {
					o := params(kind, func(o *Options) {
						o.Clients, o.Groups, o.LabelsPerGroup = clients, min(clients, 3), 1
						o.MinSamples = s.Train.Len() / clients
						o.Concentration = []float64{0.001, 1, 1000}[seed%3]
					})
					p, err := New(s, o, seed)
					if err != nil {
						// A label has fewer samples than clients, there are too few classes for pairs, or domains are too small.
						if !strings.Contains(err.Error(), "--clients") && !strings.Contains(err.Error(), "only 1 class") &&
							!strings.Contains(err.Error(), "no domain") {
							t.Errorf("%s: %v", kind, err)
						}
						continue
					}
					if err := p.Check(s); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func TestPartitionRepeats(t *testing.T) {
	for _, kind := range Kinds() {
		s := richSet(kind, even(10, 600), even(10, 10))
		o := params(kind, func(o *Options) { o.Clients = 20 })
		a, b := mustPartition(t, s, o, 1), mustPartition(t, s, o, 1)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the same seed gives different partitions", kind)
		}
		if c := mustPartition(t, s, o, 2); reflect.DeepEqual(a.Shards, c.Shards) {
			t.Errorf("%s: different seeds give the same partition", kind)
		}
	}
}

// These are the splits of fixed seeds, as SHA-256 of partition.json. A change here changes every published result. The files have
// the hash of the set's labels, as in earlier versions.
func TestPartitionGolden(t *testing.T) {
	want := map[string]string{
		"iid/1":           "935d2c696431d9be",
		"label-skew/1":    "df8e2dfa4a82e041",
		"label-skew/2":    "6c80e41c83a3e676",
		"lda/1":           "1c67d8138c701f91",
		"pairs/1":         "cfce9c2cfa373c42",
		"concept-shift/1": "659ea35a92c3d192",
		"labels/1":        "3486776f7ac9b571",
		"superclass/1":    "a2c3e662a1e51530",
		"feature-skew/1":  "81adfe1356d3a3e5",
		"domains/1":       "1591995e9c882252",
		"natural/1":       "818543d35ee4d36c",
	}
	for name, sum := range want {
		var kind string
		var seed uint64
		i := bytes.LastIndexByte([]byte(name), '/')
		kind = name[:i]
		fmt.Sscan(name[i+1:], &seed)
		s := richSet(kind, even(10, 6000), even(10, 1000))
		p := mustPartition(t, s, params(kind, nil), seed)
		p.DataHash = s.LabelHash()
		var out bytes.Buffer
		if err := p.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(out.Bytes())
		if got := hex.EncodeToString(h[:8]); got != sum {
			t.Errorf("%s: hash %s, was %s", name, got, sum)
		}
	}
}

func TestPartitionBadOptions(t *testing.T) {
	s := labelSet(even(10, 20), even(10, 2))
	for _, c := range []struct {
		name   string
		kind   string
		change func(*Options)
		words  []string
	}{
		{"unknown kind", "label-scew", nil, []string{"label-scew", "did you mean label-skew?"}},
		{"no clients", "iid", func(o *Options) { o.Clients = 0 }, []string{"--clients 0"}},
		{"negative clients", "lda", func(o *Options) { o.Clients = -1 }, []string{"--clients -1"}},
		{"more clients than samples", "iid", func(o *Options) { o.Clients = 201 }, []string{"--clients 201", "200 training samples"}},
		{"more groups than clients", "label-skew", func(o *Options) { o.Clients = 4 }, []string{"--groups 5", "4 clients"}},
		{"no groups", "label-skew", func(o *Options) { o.Groups = 0 }, []string{"--groups 0"}},
		{"more labels than classes", "label-skew", func(o *Options) { o.LabelsPerGroup = 11 }, []string{"--labels-per-group 11", "10 classes"}},
		{"no labels", "label-skew", func(o *Options) { o.LabelsPerGroup = 0 }, []string{"--labels-per-group 0"}},
		{"fraction", "label-skew", func(o *Options) { o.LabelFraction = 1.1 }, []string{"--label-fraction 1.1"}},
		{"fraction NaN", "label-skew", func(o *Options) { o.LabelFraction = math.NaN() }, []string{"--label-fraction NaN"}},
		{"concentration zero", "label-skew", func(o *Options) { o.Concentration = 0 }, []string{"--concentration 0"}},
		{"concentration negative", "lda", func(o *Options) { o.Concentration = -1 }, []string{"--concentration -1"}},
		{"concentration NaN", "lda", func(o *Options) { o.Concentration = math.NaN() }, []string{"--concentration NaN"}},
		{"concentration infinite", "lda", func(o *Options) { o.Concentration = math.Inf(1) }, []string{"--concentration +Inf"}},
		{"minimum too large", "lda", func(o *Options) { o.Clients, o.MinSamples = 20, 11 }, []string{"--min-samples 11", "at most 10"}},
		{"minimum zero", "lda", func(o *Options) { o.MinSamples = 0 }, []string{"--min-samples 0"}},
		{"label too scarce", "label-skew", func(o *Options) { o.Clients, o.Groups, o.LabelsPerGroup = 50, 1, 1 }, []string{"--clients 50", "20 training samples"}},
		{"unknown extra", "iid", func(o *Options) { o.Extra = map[string]string{"x": "1"} }, []string{`unknown option "x"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(s, params(c.kind, c.change), 1)
			errtest.Want(t, err, c.words...)
		})
	}
	if _, err := New(nil, DefaultOptions(), 1); err == nil {
		t.Error("no error for no set")
	}
	s.Train.Labels[3] = 10
	_, err := New(s, params("iid", nil), 1)
	errtest.Want(t, err, "image 3 has label 10")
}

// A kind that is built on another kind, with its own option and label maps, needs only one registration.
func TestRegisterPartition(t *testing.T) {
	base := kinds["iid"]
	register(kind{
		name:    "reversed",
		options: map[string]string{"every": "how many groups"},
		resolve: func(s *data.Set, o Options) (Options, error) {
			resolved, err := base.resolve(s, o)
			resolved.Extra = o.Extra
			return resolved, err
		},
		assign: func(p *Partition, s *data.Set) error {
			p.Groups = make([]int, len(p.Shards))
			for i := range p.Shards {
				if p.Groups[i] = i % len(p.Params.Extra["every"]); p.Groups[i] == 1 {
					p.Shards[i].LabelMap = []uint8{2, 1, 0}
				}
			}
			return base.assign(p, s)
		},
	})
	t.Cleanup(func() { delete(kinds, "reversed") })
	s := labelSet(even(3, 40), even(3, 5))
	o := params("reversed", func(o *Options) { o.Clients, o.Extra = 6, map[string]string{"every": "xx"} })
	p := mustPartition(t, s, o, 1)
	var out bytes.Buffer
	if err := p.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if q, err := Decode(&out, s); err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("read back %+v, %v", q, err)
	}
	o.Extra = map[string]string{"evry": "2"}
	_, err := New(s, o, 1)
	errtest.Want(t, err, "did you mean every?")
}

func TestNoTestSamples(t *testing.T) {
	s := labelSet([]int{50, 50}, []int{5, 0})
	_, err := New(s, params("label-skew", func(o *Options) { o.Clients, o.Groups, o.LabelsPerGroup = 4, 2, 1 }), 1)
	errtest.Want(t, err, "client", "no test samples")
}

func TestLabelSkewGroups(t *testing.T) {
	s := labelSet(even(10, 6000), even(10, 10))
	for seed := range uint64(50) {
		p := mustPartition(t, s, DefaultOptions(), seed)
		sets := map[int]string{}
		covered := map[string]bool{}
		for i, row := range p.Counts(s) {
			var held []int
			for l, k := range row {
				if k > 0 {
					held = append(held, l)
					covered[fmt.Sprint(l)] = true
				}
			}
			if len(held) != 3 {
				t.Fatalf("seed %d: client %d holds %v", seed, i, held)
			}
			if set, ok := sets[p.Groups[i]]; ok && set != fmt.Sprint(held) {
				t.Fatalf("seed %d: client %d of group %d holds %v, others %s", seed, i, p.Groups[i], held, set)
			}
			sets[p.Groups[i]] = fmt.Sprint(held)
		}
		distinct := map[string]bool{}
		for _, set := range sets {
			distinct[set] = true
		}
		if len(sets) != 5 || len(distinct) != 5 {
			t.Errorf("seed %d: groups %v", seed, sets)
		}
		if len(covered) != 10 {
			t.Errorf("seed %d: only labels %v are held; those not yet taken come first", seed, covered)
		}
		if total := sum(p.Sizes()); total != 60000 {
			t.Errorf("seed %d: %d samples dealt out", seed, total)
		}
	}
}

func TestLabelSkewFraction(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	o := DefaultOptions()
	byCount := mustPartition(t, s, o, 1)
	o.LabelFraction, o.LabelsPerGroup = 0.3, 0
	if byFraction := mustPartition(t, s, o, 1); !reflect.DeepEqual(byCount.Shards, byFraction.Shards) {
		t.Error("a fraction of 0.3 is not 3 labels of 10")
	}
}

// If there are fewer sets of labels than groups, groups with equal labels count as one group.
func TestLabelSkewMergesEqualGroups(t *testing.T) {
	s := labelSet(even(3, 600), even(3, 10))
	for _, c := range []struct{ per, groups, want int }{{3, 5, 1}, {1, 5, 3}, {2, 3, 3}, {2, 10, 3}, {1, 2, 2}} {
		for seed := range uint64(20) {
			o := params("label-skew", func(o *Options) { o.Groups, o.LabelsPerGroup = c.groups, c.per })
			p := mustPartition(t, s, o, seed)
			groups := slices.Compact(slices.Sorted(slices.Values(p.Groups)))
			if len(groups) != c.want || groups[len(groups)-1] != c.want-1 {
				t.Errorf("%d groups of %d labels of 3: true groups %v, want %d", c.groups, c.per, groups, c.want)
			}
		}
	}
}

// With as many groups as clients, empty groups must be repaired.
func TestLabelSkewGroupPerClient(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	o := params("label-skew", func(o *Options) { o.Clients, o.Groups = 100, 100 })
	p := mustPartition(t, s, o, 1)
	groups := slices.Compact(slices.Sorted(slices.Values(p.Groups)))
	if len(groups) != 100 {
		t.Errorf("%d groups", len(groups))
	}
}

// Because of the cap, a client that has its share n/N before a class gets no samples of the class. So without repair it can
// exceed n/N by at most one class.
func TestLDACap(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 10))
	byClass := classIndices(s.Train.Labels, s.Classes)
	for seed := range uint64(20) {
		p := &Partition{Seed: seed, Shards: make([]Shard, 30), Params: params("lda", func(o *Options) { o.Concentration = 0.1 })}
		for i, row := range drawLDA(p, byClass, 6000, 0) {
			held := 0
			for c, k := range row {
				if k > 0 && held >= 200 {
					t.Fatalf("seed %d: client %d has %d samples and gets %d of class %d", seed, i, held, k, c)
				}
				held += k
			}
		}
	}
}

// Larger concentrations spread classes more evenly.
func TestLDAConcentration(t *testing.T) {
	s := labelSet(even(10, 6000), even(10, 10))
	last := 0.0
	for _, a := range []float64{0.01, 0.1, 1, 10, 1000} {
		p := mustPartition(t, s, params("lda", func(o *Options) { o.Concentration = a }), 1)
		classes := 0
		for _, row := range p.Counts(s) {
			for _, k := range row {
				if k > 0 {
					classes++
				}
			}
		}
		mean := float64(classes) / 100
		if mean < last {
			t.Errorf("concentration %v: %v classes per client, fewer than with a smaller one (%v)", a, mean, last)
		}
		last = mean
	}
	if last != 10 {
		t.Errorf("concentration 1000: %v classes per client", last)
	}
}

func TestRaiseToMinimum(t *testing.T) {
	counts := [][]int{{0, 0}, {30, 8}, {2, 1}, {5, 12}}
	raiseToMinimum(counts, 10)
	if want := [][]int{{10, 0}, {13, 8}, {9, 1}, {5, 12}}; !reflect.DeepEqual(counts, want) {
		t.Errorf("got %v, want %v", counts, want)
	}
}

func TestLabelMapCounts(t *testing.T) {
	s := labelSet([]int{3, 2, 1}, []int{1, 1, 1})
	p := mustPartition(t, s, params("iid", func(o *Options) { o.Clients = 1 }), 1)
	p.Shards[0].LabelMap = []uint8{2, 1, 0}
	if got := p.Counts(s); !slices.Equal(got[0], []int{1, 2, 3}) {
		t.Errorf("counts %v", got)
	}
}

func sum(x []int) int {
	total := 0
	for _, v := range x {
		total += v
	}
	return total
}

// The default partition of the published data has three labels per client, and all test images of these labels.
func TestFashionMNIST(t *testing.T) {
	dirs := data.SearchDirs("")
	if _, err := data.Find("fashion-mnist", dirs); err != nil {
		t.Skip(err)
	}
	s, err := data.Load(t.Context(), "fashion-mnist", data.LoadOptions{Dirs: dirs})
	if err != nil {
		t.Fatal(err)
	}
	p := mustPartition(t, s, DefaultOptions(), 1)
	for i, row := range p.Counts(s) {
		held := 0
		for _, k := range row {
			if k > 0 {
				held++
			}
		}
		if held != 3 || len(p.Shards[i].Test) != 3000 {
			t.Errorf("client %d holds %d labels and %d test samples", i, held, len(p.Shards[i].Test))
		}
	}
}
