package feddag

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/similarity"
	"feddag/similarity/agreement"
)

// freshSeed is the first data seed of the partitions below. No rule or limit was chosen with these seeds. The limit of sqrt(N)
// was chosen with seeds 100 to 104, after seeds 9000 to 9009 had shown 27 clusters on one partition without groups, and exact
// clusters on 50 of 50 partitions with groups.
const freshSeed = 9100

// TestChoiceOnFreshPartitions counts how often the default options find exactly the true groups of Fashion-MNIST partitions of
// kinds I and V, and what they find if there are no groups. It uses only the data angles of the sketches that a run makes. It
// logs the same counts for every linkage and for spectral clustering with every rule, by kind of partition. It also checks that a
// fifth of the clients, which are held back and added one by one, find their groups. It takes some minutes and runs only with
// FEDDAG_LONG.
func TestChoiceOnFreshPartitions(t *testing.T) {
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("set FEDDAG_LONG=1 to measure the choice rules on 66 partitions of Fashion-MNIST")
	}
	set, err := data.Load(t.Context(), "fashion-mnist", data.LoadOptions{Dirs: data.SearchDirs("")})
	if err != nil {
		t.Skipf("Fashion-MNIST cannot be loaded: %v", err)
	}
	type kind struct {
		name  string
		seeds int
		set   func(o *partition.Options)
	}
	var kinds []kind
	for _, labels := range []int{2, 3} {
		for _, concentration := range []float64{0.25, 1} {
			kinds = append(kinds, kind{fmt.Sprintf("I, %d labels, concentration %g", labels, concentration), 10, func(o *partition.Options) {
				o.Kind, o.Groups, o.LabelsPerGroup, o.Concentration = "label-skew", 5, labels, concentration
			}})
		}
	}
	kinds = append(kinds, kind{"V, 11 pairs", 10, func(o *partition.Options) { o.Kind, o.Concentration = "pairs", 1 }})
	for _, concentration := range []float64{0.1, 0.3, 1} {
		kinds = append(kinds, kind{fmt.Sprintf("no groups, lda, concentration %g", concentration), 4, func(o *partition.Options) {
			o.Kind, o.Concentration = "lda", concentration
		}})
	}
	kinds = append(kinds, kind{"no groups, iid", 4, func(o *partition.Options) { o.Kind = "iid" }})

	exact, of, newcomers, placedRight := 0, 0, 0, 0
	rules := map[string][]int{} // the number of partitions that a rule finds exactly, by kind
	var names []string
	for at, k := range kinds {
		for seed := range k.seeds {
			o := partition.DefaultOptions()
			k.set(&o)
			p, err := partition.New(set, o, freshSeed+uint64(seed))
			if err != nil {
				t.Fatal(err)
			}
			sketches := dataSketches(t, set, p)
			r, table := clusterByData(t, sketches)
			if p.Groups == nil {
				t.Logf("%s, seed %d: %d clusters", k.name, seed, len(r.Clusters))
				if len(r.Clusters) > 10 {
					t.Errorf("%s, seed %d: %d clusters, although there are no groups", k.name, seed, len(r.Clusters))
				}
				continue
			}
			of++
			ari, err := agreement.AdjustedRandIndex(agreement.Labels(r.Clusters, len(p.Groups)), p.Groups)
			if err != nil {
				t.Fatal(err)
			}
			if ari == 1 {
				exact++
			} else {
				t.Logf("%s, seed %d: %d clusters, adjusted Rand index %.3f", k.name, seed, len(r.Clusters), ari)
			}
			for _, row := range table {
				name := row.Method + " " + row.Choose
				if _, ok := rules[name]; !ok {
					names = append(names, name)
					rules[name] = make([]int, len(kinds))
				}
				if ari, _ := agreement.AdjustedRandIndex(agreement.Labels(row.Clusters, len(p.Groups)), p.Groups); ari == 1 {
					rules[name][at]++
				}
			}
			right, added := placeNewcomers(t, sketches, p.Groups)
			placedRight, newcomers = placedRight+right, newcomers+added
			if right < added {
				t.Logf("%s, seed %d: %d of %d newcomers in their group", k.name, seed, right, added)
			}
		}
		t.Logf("%s: %d of %d exact so far", k.name, exact, of)
	}
	var lines []string
	for _, name := range names {
		total := 0
		for _, n := range rules[name] {
			total += n
		}
		lines = append(lines, fmt.Sprintf("%-20s %v = %d", name, rules[name][:5], total))
	}
	t.Logf("exact, of %d, by kind in the order above:\n%s", of, strings.Join(lines, "\n"))
	t.Logf("newcomers in their group: %d of %d", placedRight, newcomers)
	if placedRight < newcomers-newcomers/50 {
		t.Errorf("%d of %d newcomers are in their group, want at least 49 of 50", placedRight, newcomers)
	}
	if exact < of-1 {
		t.Errorf("the default is exact on %d of %d partitions, want at least all but one", exact, of)
	}
}

// dataSketches returns the sketches of a partition's clients like those of a run, but without a warm-up: all updates are equal.
func dataSketches(t *testing.T, set *data.Set, p *partition.Partition) []similarity.Sketch {
	t.Helper()
	a := newFedDAG(FullVariant)
	e := &federation.Env{Options: federation.DefaultOptions(), Data: set, Clients: federation.NewClients(p), Workers: 2}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	updates := make([][]float32, len(e.Clients))
	for i := range updates {
		updates[i] = []float32{1}
	}
	sketches, err := a.makeSketches(e, e.Clients, updates)
	if err != nil {
		t.Fatal(err)
	}
	return sketches
}

// dataOptions returns the default clustering options with only the data angles.
func dataOptions() similarity.Options {
	o := newFedDAG(FullVariant).Clustering
	o.Fusion = "fixed:0"
	return o
}

// clusterByData clusters sketches by their data angles. It returns the result of the default options, and the clusters that
// every method finds with every rule.
func clusterByData(t *testing.T, sketches []similarity.Sketch) (*similarity.Result, []similarity.Comparison) {
	t.Helper()
	r, err := similarity.Cluster(sketches, dataOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := similarity.Compare(r.Proximity, dataOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, table
}

// placeNewcomers clusters all clients except every fifth one and adds the others one by one. It returns the number of added
// clients, and the number of those that joined a cluster that consists only of their own group.
func placeNewcomers(t *testing.T, sketches []similarity.Sketch, groups []int) (right, added int) {
	t.Helper()
	var old, late []similarity.Sketch
	var truth, lateTruth []int
	for i, s := range sketches {
		if i%5 == 4 {
			late, lateTruth = append(late, s), append(lateTruth, groups[i])
		} else {
			old, truth = append(old, s), append(truth, groups[i])
		}
	}
	r, err := similarity.Cluster(old, dataOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	roster, err := similarity.NewRoster(old, r, dataOptions())
	if err != nil {
		t.Fatal(err)
	}
	home := map[int]int{} // by group, a cluster that consists only of this group
	for z, members := range r.Clusters {
		if !slices.ContainsFunc(members, func(i int) bool { return truth[i] != truth[members[0]] }) {
			home[truth[members[0]]] = z
		}
	}
	for k, s := range late {
		placed, err := roster.Add([]similarity.Sketch{s})
		if err != nil {
			t.Fatal(err)
		}
		if z, ok := home[lateTruth[k]]; ok && placed[0] == z {
			right++
		}
	}
	return right, len(late)
}
