package feddag

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/models"
	"feddag/similarity"
	"feddag/torch"
)

// sharedEncoders returns what clusters share that train their primary encoders together, with the first layers.
func sharedEncoders(lists [][]int) similarity.Sharing {
	return similarity.Sharing{FirstLayers: lists, Encoders: lists}
}

// The models of the other tests have one layer, so that nothing of the encoder is left behind the first layer.
func init() {
	models.Register("two-layers", models.Model{
		Images: "all images",
		Takes:  func([3]int) bool { return true },
		Layers: func(input [3]int, _ models.Options) []torch.Layer {
			return []torch.Layer{
				torch.Flatten{}, torch.Linear{Name: "fc1", In: input[0] * input[1] * input[2], Out: 6}, torch.ReLU{},
				torch.Linear{Name: "fc2", In: 6, Out: 5}, torch.ReLU{},
			}
		},
	})
}

// TestPartsOfRelatedClusters checks which parts of their networks two clusters train together, and that only these parts are equal
// after some rounds.
func TestPartsOfRelatedClusters(t *testing.T) {
	federationtest.UseModel(t, "two-layers")
	concepts := func(_ *testing.T, e *federation.Env) { federationtest.TwoConcepts(e) }
	otherClasses := func(*testing.T, *federation.Env) {}
	adam := func(change func(*testing.T, *federation.Env)) func(*testing.T, *federation.Env) {
		return func(t *testing.T, e *federation.Env) {
			change(t, e)
			e.Server.Name, e.Server.LearningRate = federation.ServerAdam, 0.5
		}
	}
	together, apart := [][]int{{0, 1}}, [][]int{{0}, {1}}
	for _, c := range []struct {
		name   string
		body   string
		change func(*testing.T, *federation.Env)
		want   similarity.Sharing
	}{
		{"concepts", BodyParts, concepts, similarity.Sharing{FirstLayers: together, Encoders: together, Heads: apart}},
		{"concepts, with a server optimiser", BodyParts, adam(concepts), similarity.Sharing{FirstLayers: together, Encoders: together, Heads: apart}},
		{"styles", BodyParts, federationtest.TwoStyles, similarity.Sharing{FirstLayers: apart, Encoders: together, Heads: together}},
		{"styles, with a server optimiser", BodyParts, adam(federationtest.TwoStyles), similarity.Sharing{FirstLayers: apart, Encoders: together, Heads: together}},
		{"styles, whole encoders", BodyAlike, federationtest.TwoStyles, similarity.Sharing{FirstLayers: together, Encoders: together, Heads: apart}},
		{"styles and concepts", BodyParts, func(t *testing.T, e *federation.Env) {
			federationtest.TwoStyles(t, e)
			for i := 1; i < len(e.Clients); i += 2 {
				e.Clients[i].LabelMap = []uint8{3, 2, 1, 0}
			}
		}, similarity.Sharing{FirstLayers: apart, Encoders: together, Heads: apart}},
		{"other classes", BodyParts, otherClasses, similarity.Sharing{FirstLayers: apart, Encoders: apart, Heads: apart}},
		{"other classes, one encoder for all", BodyAll, otherClasses, similarity.Sharing{FirstLayers: together, Encoders: together, Heads: apart}},
		{"concepts, each its own", BodyOwn, concepts, similarity.Sharing{}},
	} {
		for encoders := 1; encoders <= 2; encoders++ {
			e, a := federationtest.TinyEnv(t, 2), newFedDAG(FullVariant)
			a.Body, a.Encoders = c.body, encoders
			t.Cleanup(a.Close)
			c.change(t, e)
			federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "feddag"})
			if !equalClusters(a.Clusters(), [][]int{{0, 2, 4, 6}, {1, 3, 5, 7}}) || !reflect.DeepEqual(a.sharing, c.want) {
				t.Fatalf("%s, %d encoders: clusters %v share %v, want %v", c.name, encoders, a.Clusters(), a.sharing, c.want)
			}
			models := federationtest.Models(t, a)
			x, y := models["cluster-0"], models["cluster-1"]
			for k, lists := range [][][]int{c.want.FirstLayers, c.want.Encoders, c.want.Heads} {
				p := a.sharedParts(a.net)[k].values
				if same := slices.Equal(x[p.Begin:p.End], y[p.Begin:p.End]); same != (len(lists) == 1) {
					t.Errorf("%s, %d encoders: part %d is the same in both clusters: %t", c.name, encoders, k, same)
				}
			}
		}
	}
}

// TestSharedEncodersStay checks that a cluster keeps its encoder when clusters are founded and dissolved, and that a new cluster starts with
// the encoder of the clusters that it joins.
func TestSharedEncodersStay(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), newFedDAG(StarVariant)
	t.Cleanup(a.Close)
	a.Body = BodyAll
	for _, i := range []int{1, 3, 5, 7} {
		e.Clients[i].HeldOut = true
	}
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Round(e, 0, e.Present()); err != nil {
		t.Fatal(err)
	}
	before := federationtest.Models(t, a)["cluster-0"]
	if err := a.Join(e, 1, []*federation.Client{e.Clients[1], e.Clients[3]}); err != nil {
		t.Fatal(err)
	}
	if !equalClusters(a.Clusters(), [][]int{{0, 2, 4, 6}, {1, 3}}) || !equalClusters(a.sharing.Encoders, [][]int{{0, 1}}) {
		t.Fatalf("clusters %v, encoders %v", a.Clusters(), a.sharing.Encoders)
	}
	founded := federationtest.Models(t, a)["cluster-1"]
	if !slices.Equal(part(a.net, founded, torch.Primary), part(a.net, before, torch.Primary)) {
		t.Error("the new cluster does not begin with the encoder of the clusters that it joins")
	}
	if err := a.Leave(e, 2, []*federation.Client{e.Clients[1], e.Clients[3]}); err != nil {
		t.Fatal(err)
	}
	if !equalClusters(a.sharing.Encoders, [][]int{{0}}) {
		t.Errorf("encoders %v after a cluster was dissolved, want only cluster 0", a.sharing.Encoders)
	}
}

// TestClustersWithTheSameClasses checks which clusters hold the same classes, whatever finds the clusters.
func TestClustersWithTheSameClasses(t *testing.T) {
	for _, c := range []struct {
		name     string
		counts   [][]int // number of images of each class, by client
		encoders [][]int
	}{
		{"all classes", [][]int{{5, 40, 5}, {40, 5, 5}, {20, 20, 20}, {1, 1, 40}}, [][]int{{0, 1}}},
		{"no class in common", [][]int{{50, 0, 0}, {0, 30, 20}, {20, 0, 0}, {0, 20, 30}}, [][]int{{0}, {1}}},
		{"one of two classes in common", [][]int{{30, 30, 0}, {0, 30, 30}, {30, 30, 0}, {0, 30, 30}}, [][]int{{0}, {1}}},
		{"few images of another class", [][]int{{30, 30, 1}, {30, 30, 0}, {30, 30, 1}, {30, 30, 0}}, [][]int{{0, 1}}},
		{"stray images of all classes", [][]int{{1, 1, 200}, {200, 1, 1}, {1, 1, 200}, {200, 1, 1}}, [][]int{{0}, {1}}},
	} {
		a := newFedDAG(FullVariant)
		sketches := make(similarity.Vectors, len(c.counts))
		for i := range sketches {
			sketches[i].Counts = c.counts[i]
		}
		if got := a.extend(similarity.Sharing{}, [][]int{{0, 2}, {1, 3}}, sketches, nil); !equalClusters(got.Encoders, c.encoders) {
			t.Errorf("%s: encoders %v, want %v", c.name, got.Encoders, c.encoders)
		}
	}
}

// TestSearchCopiesSharedParts checks that a cluster of a new search takes over the encoder that it shares with an older cluster from
// which it does not originate.
func TestSearchCopiesSharedParts(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), newFedDAG(FullVariant)
	t.Cleanup(a.Close)
	s, err := federation.ParseScenario([]byte(`{"version": 2, "search_after": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	e.Scenario = s
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Round(e, 0, e.Present()); err != nil {
		t.Fatal(err)
	}
	// Clients 0 and 2 have images of cluster 1 now, which they name the other way around.
	for _, i := range []int{0, 2} {
		c := e.Clients[i]
		c.Train, c.LabelMap = e.Clients[i+1].Train, []uint8{0, 1, 3, 2}
	}
	_, sketches, err := a.sketchClients(e, e.Present())
	if err == nil {
		err = a.search(e, sketches)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !equalClusters(a.Clusters(), [][]int{{4, 6}, {1, 3, 5, 7}, {0, 2}}) || !equalClusters(a.sharing.Encoders, [][]int{{0}, {1, 2}}) {
		t.Fatalf("clusters %v, encoders %v", a.Clusters(), a.sharing.Encoders)
	}
	models := federationtest.Models(t, a)
	if !slices.Equal(part(a.net, models["cluster-2"], torch.Primary), part(a.net, models["cluster-1"], torch.Primary)) {
		t.Error("the new cluster does not begin with the encoder of the clusters that it joins")
	}
}
