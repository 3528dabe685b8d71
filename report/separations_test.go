package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"feddag/similarity"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// byTest returns the clustering by test of some clients, of which five have other images of the classes 0 and 1 than the next five,
// by gap, and the rest have the classes 2 and 3.
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

// TestSeparations checks that the terminal and clusters.json say what separates clusters that tests found, and that they say
// nothing about other clusters.
func TestSeparations(t *testing.T) {
	c := byTest(t, 20, 5)
	if len(c.Result.Clusters) != 3 {
		t.Fatalf("the clusters are %v", c.Result.Clusters)
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 clusters of 20 clients, found by test\n",
		"clusters 0 and 1: common: ", " (p = ",
		"clusters 0 and 2: labels: they hold other classes", "clusters 1 and 2: labels: ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
	file, err := c.file()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"found_by":"test"`, `{"clusters":[0,1],"view":"common","p":`, `{"clusters":[0,2],"view":"labels","p":null}`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("clusters.json lacks %s:\n%s", want, raw)
		}
	}
	c.Result.Test, c.Result.FoundBy = nil, ""
	text.Reset()
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	if file, err = c.file(); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text.String(), string(raw)} {
		if strings.Contains(s, "found") || strings.Contains(s, "separat") || strings.Contains(s, "common:") {
			t.Errorf("clusters of the search have the words of the tests:\n%s", s)
		}
	}
}
