package report

import (
	"slices"
	"testing"

	"feddag/similarity"
)

// TestSharedPartsSentences checks what is said about clusters that train parts of their networks together.
func TestSharedPartsSentences(t *testing.T) {
	all, alone := [][]int{{0, 1, 2}, {3}}, [][]int{{0}, {1}, {2}, {3}}
	for _, c := range []struct {
		name    string
		sharing similarity.Sharing
		want    []string
	}{
		{"nothing is shared", similarity.Sharing{FirstLayers: alone, Encoders: alone, Heads: alone}, nil},
		{"no lists", similarity.Sharing{}, nil},
		{"concepts", similarity.Sharing{FirstLayers: all, Encoders: all, Heads: alone}, []string{
			"clusters 0, 1 and 2 train one encoder together",
		}},
		{"styles", similarity.Sharing{FirstLayers: alone, Encoders: all, Heads: all}, []string{
			"clusters 0, 1 and 2 train one network together, except its first layer",
		}},
		{"everything is shared", similarity.Sharing{FirstLayers: all, Encoders: all, Heads: all}, []string{
			"clusters 0, 1 and 2 train one network together",
		}},
		{"styles and concepts", similarity.Sharing{FirstLayers: [][]int{{0, 2}, {1}, {3}}, Encoders: all, Heads: [][]int{{0}, {1, 2}, {3}}}, []string{
			"clusters 0, 1 and 2 train one encoder together, except its first layer",
			"clusters 0 and 2 train the first layer together, too",
			"clusters 1 and 2 train the head together, too",
		}},
		{"two encoders", similarity.Sharing{FirstLayers: alone, Encoders: [][]int{{0, 2}, {1, 3}}, Heads: [][]int{{0}, {1, 3}, {2}}}, []string{
			"clusters 0 and 2 train one encoder together, except its first layer",
			"clusters 1 and 3 train one network together, except its first layer",
		}},
	} {
		var got []string
		if p := (&Clustering{Result: &similarity.Result{Sharing: c.sharing}}).sharedParts(); p != nil {
			got = p.sentences()
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
