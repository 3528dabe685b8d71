package feddag

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// unreadNames returns the names of the flags that an algorithm does not read.
func unreadNames(a *FedDAG) (names []string) {
	for _, u := range a.Unread() {
		names = append(names, u.Name)
	}
	return names
}

// TestUnreadByTests checks which flags are declared as unread if tests find the clusters: those of the similarity, and those of
// the warm-up if no model starts from it.
func TestUnreadByTests(t *testing.T) {
	a := newFedDAG(FullVariant)
	a.Encoders = 2
	a.WarmUpRounds = 2
	want := []string{
		"feddag-mask", "feddag-principal-vectors", "feddag-svd-samples", "feddag-shift", "feddag-rules", "feddag-delta", "feddag-epsilon",
		"feddag-angle", "feddag-fusion", "feddag-method", "feddag-linkage", "feddag-scaling", "feddag-choose", "feddag-concepts",
		"feddag-gamma", "feddag-tau", "feddag-lambda", "feddag-max-clusters", "feddag-alignment",
	}
	if got := unreadNames(a); !slices.Equal(got, want) {
		t.Errorf("by tests, unread are %v, want %v", got, want)
	}
	a.WarmUpRounds = 0
	if got, want := unreadNames(a), append(slices.Clone(want), "feddag-primary-init"); !slices.Equal(got, want) {
		t.Errorf("without a warm-up, unread are %v, want %v", got, want)
	}
	a.PrimaryInit, a.HeadInit, a.SecondaryInit = PrimaryInitCommon, HeadInitRandom, SecondaryInitRandom
	if got, want := unreadNames(a), append(slices.Clone(want), "feddag-warmup-rounds"); !slices.Equal(got, want) {
		t.Errorf("if no model starts from the warm-up, the unread flags are %v, want %v", got, want)
	}
	a = newFedDAG(FullVariant)
	a.Encoders = 2
	a.ClustersBy = ClustersBySimilarity
	if got := unreadNames(a); !slices.Equal(got, []string{"feddag-scaling"}) { // which spectral clustering reads
		t.Errorf("by similarity with linkage, unread are %v", got)
	}
}

// TestWarmUpRoundsOfTheSimilarity checks that the similarity rejects a run without a warm-up, and that the tests accept it.
func TestWarmUpRoundsOfTheSimilarity(t *testing.T) {
	a := newFedDAG(FullVariant)
	a.Encoders = 2
	a.WarmUpRounds = 0
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
	a.ClustersBy = ClustersBySimilarity
	if err := a.Validate(); err == nil || !strings.Contains(err.Error(), "--feddag-warmup-rounds is 0") {
		t.Errorf("the error is %v", err)
	}
}

// TestClustersByTest checks that tests find the planted clusters, that the clients do not train for this and send only the
// feature sketches, and that the result does not depend on the number of workers.
func TestClustersByTest(t *testing.T) {
	want := [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}
	for _, workers := range []int{1, 3} {
		e, a := federationtest.TinyEnv(t, workers), federationtest.Algorithm(t, "feddag").(*FedDAG)
		a.Clustering.Choose = "count:1" // the search would find one cluster
		if err := errors.Join(a.Validate(), e.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
		r, err := a.Cluster(e)
		if err != nil {
			t.Fatal(err)
		}
		if r.FoundBy != ClustersByTest || r.Candidates != nil || r.Proximity != nil || !equalClusters(a.Clusters(), want) || !equalClusters(r.Clusters, want) {
			t.Fatalf("clusters %v of the result %+v, want %v", a.Clusters(), r, want)
		}
		if len(r.Graph) != 2 || !slices.Equal(r.Graph[0], []int{1}) || !slices.Equal(r.Graph[1], []int{0}) {
			t.Errorf("the CC-graph is %v", r.Graph)
		}
		if work := e.Ledger.AllWork(); work != (federation.Work{}) {
			t.Errorf("the clustering trained: %+v", work)
		}
		d := 24
		total := e.Ledger.Total
		means, scatter := int64(8*4*2*federationtest.Classes*(d+1)), int64(8*4*d*(d+1)/2)
		if up, down := total.Totals(); total.Up["feature means"] != means || total.Up["feature scatter"] != scatter || up != means+scatter || down != 0 {
			t.Errorf("the clients send %v and receive %v, want %d bytes of means and %d of scatter", total.Up, total.Down, means, scatter)
		}
	}
	w1, r1 := federationtest.Finished(t, "feddag", 1, nil)
	w3, r3 := federationtest.Finished(t, "feddag", 3, nil)
	if !federationtest.EqualModels(w1, w3) || !federationtest.EqualResults(r1, r3) {
		t.Error("another number of workers gives other models")
	}
}

// TestWarmUpOnlyForTheStart checks that with clusters by tests the models start like those of the same clusters by similarity,
// that the clients then send their weights and no update, and that no client warms up if no model starts from the warm-up.
func TestWarmUpOnlyForTheStart(t *testing.T) {
	begin := func(change func(a *FedDAG)) (*federation.Env, map[string][]float32) {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag").(*FedDAG)
		a.WarmUpRounds = 2
		change(a)
		if err := errors.Join(a.Validate(), e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		return e, federationtest.Models(t, a)
	}
	e, tested := begin(func(*FedDAG) {})
	_, similar := begin(func(a *FedDAG) { a.ClustersBy, a.Clustering.Choose = ClustersBySimilarity, "count:2" })
	if !federationtest.EqualModels(tested, similar) {
		t.Error("the models do not begin from the warm-up")
	}
	up := e.Ledger.Total.Up
	if up["warm-up weights"] == 0 || up["update"] != 0 || up["principal vectors"] != 0 || e.Ledger.AllWork().Training == 0 {
		t.Errorf("the clients send %v", up)
	}
	for what, change := range map[string]func(a *FedDAG){
		"no model begins from it": func(a *FedDAG) {
			a.PrimaryInit, a.HeadInit, a.SecondaryInit = PrimaryInitCommon, HeadInitRandom, SecondaryInitRandom
		},
		"it has no rounds": func(a *FedDAG) { a.WarmUpRounds = 0 },
	} {
		e, _ := begin(change)
		if work := e.Ledger.AllWork().Training; work != 0 || e.Ledger.Total.Up["warm-up weights"] != 0 || e.Ledger.Total.Down["initial"] != 0 {
			t.Errorf("%s, but the clients train on %d samples: %v", what, work, e.Ledger.Total)
		}
	}
}

// TestNoWarmUp checks where the models start without a warm-up: the primary encoder, the head and ψ at θ^0, the same in all
// clusters, and the secondary encoder at random weights, unless it is a copy.
func TestNoWarmUp(t *testing.T) {
	for _, variant := range []string{StarVariant, DaggerVariant, FullVariant} {
		for _, secondary := range []string{SecondaryInitGlobal, SecondaryInitRandom, SecondaryInitPrimary} {
			e, a := federationtest.TinyEnv(t, 2), newFedDAG(variant)
			a.WarmUpRounds, a.SecondaryInit = 0, secondary
			t.Cleanup(a.Close)
			if err := errors.Join(a.Validate(), e.Start(context.Background()), a.Init(e)); err != nil {
				t.Fatal(err)
			}
			single, err := e.Net(false)
			if err != nil {
				t.Fatal(err)
			}
			theta0 := e.InitialState(single)
			models := federationtest.Models(t, a)
			if !slices.Equal(models["cluster-0"], models["cluster-1"]) || len(models) != 2 {
				t.Errorf("%s, %s: the clusters begin differently", variant, secondary)
			}
			x, encoder := models["cluster-0"], part(single, theta0, torch.Primary)
			if !slices.Equal(part(a.net, x, torch.Primary), encoder) {
				t.Errorf("%s, %s: the primary encoder does not begin at θ^0", variant, secondary)
			}
			if !a.dual() {
				if !slices.Equal(x, theta0) {
					t.Errorf("%s: the model does not begin at θ^0", variant)
				}
				continue
			}
			want := part(a.net, randomSecondary(e, a.net), torch.Secondary)
			if secondary == SecondaryInitPrimary {
				want = encoder
			}
			if slices.Equal(want, encoder) != (secondary == SecondaryInitPrimary) || !slices.Equal(part(a.net, x, torch.Secondary), want) {
				t.Errorf("%s, %s: the secondary encoder begins at %v, want %v", variant, secondary, part(a.net, x, torch.Secondary), want)
			}
			psi, err := a.classifiers[0].Floats()
			if err != nil || !slices.Equal(psi, part(single, theta0, torch.Head)) {
				t.Errorf("%s, %s: ψ does not begin at θ^0 (%v)", variant, secondary, err)
			}
		}
	}
}

// negative replaces the images of some clients with their negatives, which are another domain.
func negative(e *federation.Env, clients ...int) {
	set := *e.Data
	set.Train.Pixels = slices.Clone(set.Train.Pixels)
	for _, i := range clients {
		for _, s := range e.Clients[i].Train {
			image := set.Image(set.Train, int(s))
			for p := range image {
				image[p] = 255 - image[p]
			}
		}
	}
	e.Data = &set
}

// TestScenarioByTest checks clients that join, leave and change if tests find the clusters: newcomers join the group of their
// labels, no other client moves, a check moves only the clients whose data changed, and a search is done again.
func TestScenarioByTest(t *testing.T) {
	text := `{"version": 2, "search_after": 3, "check_every": 2, "events": [
		{"round": 2, "join": [4, 7]}, {"round": 2, "leave": 0}, {"round": 2, "swap": [2, 3]}, {"round": 4, "join": 6}]}`
	for _, warmUp := range []int{0, 1} {
		recorder := &searchRecorder{}
		e, a, rounds := runScenario(t, "feddag", text, func(e *federation.Env, a *FedDAG) {
			a.WarmUpRounds = warmUp
			e.Observers = append(e.Observers, recorder)
		})
		wantMoves(t, rounds, map[int][]string{
			1: {"4:-1>0 join", "7:-1>1 join", "0:0>-1 leave", "2:0>0 shift", "3:1>1 shift"},
			2: {"2:0>1 check", "3:1>0 check"},
			3: {"6:-1>0 join"},
		})
		if want := [][]int{{3, 4, 6}, {1, 2, 5, 7}}; !equalClusters(a.Clusters(), want) {
			t.Errorf("clusters %v, want %v", a.Clusters(), want)
		}
		if !slices.Equal(recorder.rounds, []int{0, 3}) {
			t.Errorf("searches before rounds %v, want 0 and 3", recorder.rounds)
		}
		if e.Ledger.Total.Up["counts"] != 0 {
			t.Error("the clients send the counts of the similarity")
		}
	}
}

// TestFoundersByTest checks that newcomers that every cluster rejects found a new one, which starts from their own warm-up or,
// without a warm-up, at θ^0, and that only they warm up.
func TestFoundersByTest(t *testing.T) {
	for _, warmUp := range []int{0, 1} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star").(*FedDAG)
		a.WarmUpRounds = warmUp
		for i, c := range e.Clients { // each has its own twelve samples of classes 0 and 1
			c.Train, c.HeldOut = nil, i >= 5
			for row := 6 * i; row < 6*(i+1); row++ {
				c.Train = append(c.Train, int32(row*federationtest.Classes), int32(row*federationtest.Classes+1))
			}
		}
		negative(e, 6, 7)
		if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		if want := [][]int{{0, 1, 2, 3, 4}}; !equalClusters(a.Clusters(), want) {
			t.Fatalf("clusters %v, want %v", a.Clusters(), want)
		}
		work := e.Ledger.AllWork().Training
		if err := a.Join(e, 0, []*federation.Client{e.Clients[7], e.Clients[5], e.Clients[6]}); err != nil {
			t.Fatal(err)
		}
		if want := [][]int{{0, 1, 2, 3, 4, 5}, {6, 7}}; !equalClusters(a.Clusters(), want) {
			t.Fatalf("clusters %v, want %v", a.Clusters(), want)
		}
		single, err := e.Net(false)
		if err != nil {
			t.Fatal(err)
		}
		if got := federationtest.Models(t, a)[clusterName(1)]; slices.Equal(got, e.InitialState(single)) != (warmUp == 0) {
			t.Errorf("%d warm-up rounds: the new cluster begins at θ^0: %t", warmUp, warmUp > 0)
		}
		samples := int64(warmUp*e.Epochs) * int64(e.Clients[6].Size()+e.Clients[7].Size())
		if trained := e.Ledger.AllWork().Training - work; trained != samples {
			t.Errorf("%d warm-up rounds: the newcomers train on %d samples, want %d", warmUp, trained, samples)
		}
	}
}
