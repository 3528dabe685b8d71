package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"feddag/similarity"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// byTest returns the clustering by tests of clients in three groups: the images of the classes 0 and 1 of the first five
// clients differ by gap from those of the next five, and the rest have the classes 2 and 3.
func byTest(t *testing.T, clients int, gap float64) *Clustering {
	t.Helper()
	const images, d = 40, 3
	c := &Clustering{Title: "test"}
	var sketches []*groups.Sketch
	scatter := mat.NewSymDense(d, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range clients {
		x, labels := mat.NewDense(images, d, nil), make([]int, images)
		counts := make([]int, 4)
		for k := range images {
			labels[k] = 2*min(i/10, 1) + k%2
			counts[labels[k]]++
			for f := range d {
				x.Set(k, f, random.NormFloat64())
			}
			if i < 5 {
				x.Set(k, 0, x.At(k, 0)+gap)
			}
		}
		s, own, err := groups.NewSketch(x, labels, 4, random)
		if err != nil {
			t.Fatal(err)
		}
		scatter.AddSym(scatter, own)
		sketches, c.Counts = append(sketches, s), append(c.Counts, counts)
	}
	found, err := groups.Find(sketches, scatter, groups.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	roster, err := groups.NewRoster(groups.Shape{}, sketches, scatter, found, groups.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	c.Result = &similarity.Result{FoundBy: similarity.FoundByTest, Clusters: found.Clusters, Test: found, Roster: roster}
	return c
}

// TestExplanations checks that the output and clusters.json say what separates clusters that tests found, that both can be
// read back, and that they say nothing about other clusters.
func TestExplanations(t *testing.T) {
	c := byTest(t, 20, 5)
	c.Classes = []string{"coat", "shoe", "bag", "shirt"}
	if len(c.Result.Clusters) != 3 {
		t.Fatalf("the clusters are %v", c.Result.Clusters)
	}
	want := c.Result.Roster.Explanations(c.Classes)
	if len(want) != 3 {
		t.Fatalf("%d explanations", len(want))
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	lines := []string{"3 clusters of 20 clients, found by test\n", "labels: clusters 0 and 2 hold other classes: only 0 holds 0 (coat), 1 (shoe); only 2 holds 2 (bag), 3 (shirt)"}
	for _, x := range want {
		lines = append(lines, string(x.View)+": "+x.Sentence+"\n")
	}
	for _, line := range lines {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the table lacks %q:\n%s", line, text.String())
		}
	}
	file, _, _, _ := written(t, c)
	if file.FoundBy != "test" || !reflect.DeepEqual(file.Explained, want) {
		t.Errorf("clusters.json has %+v, want %+v", file.Explained, want)
	}
	c.Result.Test, c.Result.Roster, c.Result.FoundBy, c.explained, c.like = nil, nil, "", nil, nil
	text.Reset()
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	other, err := c.file()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text.String(), string(raw)} {
		if strings.Contains(s, "found") || strings.Contains(s, "explanation") || strings.Contains(s, "common:") || strings.Contains(s, "like") {
			t.Errorf("clusters of the search have the words of the tests:\n%s", s)
		}
	}
}

// TestManyClustersAreNotExplained checks that the table says why it lists no pairs if there are more than 20 clusters.
func TestManyClustersAreNotExplained(t *testing.T) {
	c := byTest(t, 24, 5)
	c.Result.Clusters = nil
	for i := range c.Counts {
		c.Result.Clusters = append(c.Result.Clusters, []int{i})
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	if all := c.Explanations(); all != nil || !strings.Contains(text.String(), "is not listed for more than 20 clusters") {
		t.Errorf("%d explanations:\n%s", len(all), text.String())
	}
}
