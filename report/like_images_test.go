package report

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// TestLikeImages checks that the output and clusters.json say which clusters have similar images, with equal or with
// different labels.
func TestLikeImages(t *testing.T) {
	for _, x := range []struct {
		name  string
		shift float64 // shift of the images of the last cluster, whose labels differ from those of the cluster before
		lists [][]int
		line  string
	}{
		{"other names", 0, [][]int{{0}, {1, 2}}, "clusters 1 and 2 hold similar images, which they name differently\n"},
		{"other images", 10, [][]int{{0}, {1}, {2}}, "no two clusters hold similar images\n"},
	} {
		c := byTest(t, 20, 5)
		for _, s := range c.Result.Roster.Sketches[10:] {
			for h := range s.Means {
				for class := range 4 {
					s.Means[h].Set(class, 1, s.Means[h].At(class, 1)+x.shift)
				}
			}
		}
		var text bytes.Buffer
		if err := c.Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), x.line) {
			t.Errorf("%s: the table lacks %q:\n%s", x.name, x.line, text.String())
		}
		file, _, _, _ := written(t, c)
		if !reflect.DeepEqual(file.Like.Clusters, x.lists) || len(file.Like.Pairs) != 3 {
			t.Errorf("%s: clusters.json has %+v", x.name, file.Like)
		}
	}
}
