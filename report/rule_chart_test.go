package report

import (
	"strings"
	"testing"

	"feddag/similarity"
)

// cuts returns candidates with 1, 2, 3, ... clusters and the given scores, one of which is chosen.
func cuts(chosen int, scores ...float64) []similarity.Candidate {
	candidates := make([]similarity.Candidate, len(scores))
	for k := range candidates {
		candidates[k] = similarity.Candidate{Clusters: make([][]int, k+1), Silhouette: 0.1 * float64(k), Score: scores[k], Chosen: k == chosen}
	}
	return candidates
}

// TestRuleChart checks that the chart shows and marks the score that decided.
func TestRuleChart(t *testing.T) {
	for _, c := range []struct {
		rule         string
		candidates   []similarity.Candidate
		yLabel, says string
		series       int
		mark         float64
	}{
		{"silhouette", cuts(2, 0, 0.3, 0.6, 0.5), "mean silhouette, for the rule", "highest mean silhouette", 2, 0.6},
		{"silhouette", cuts(1, 0, 0.3, 0.6, 0.5), "mean silhouette, for the rule", "The rule alone takes 3 clusters", 2, 0.3},
		{"silhouette", cuts(0, 0, 0.1, 0.2), "mean silhouette, for the rule", "there is one cluster", 2, 0},
		{"loss", cuts(2, 0, 1.5, 4, 0), "loss of the next coarser candidate over its own", "lowers the loss", 1, 4},
		{"ratio", cuts(1, 0, 9, 2), "height of the next merge over the last", "next merge is highest", 1, 9},
		{"count:3", cuts(2, 0, 0, 0), "mean silhouette", "was given (3)", 1, 0.2},
		{"fixed:0.4", cuts(1, 0, 0, 0), "mean silhouette", "α = 0.4", 1, 0.1},
		{"", cuts(1, 0, 0, 0), "mean silhouette", "does not hold", 1, 0.1},
	} {
		chart, text := ruleChart(c.rule, c.candidates, false)
		if chart.YLabel != c.yLabel || !strings.Contains(text, c.says) || len(chart.Series) != c.series || len(chart.Marks) != 1 || chart.Marks[0].Y != c.mark {
			t.Errorf("rule %q: %s, %+v", c.rule, text, chart)
		}
		if strings.Contains(text, "alone") != strings.Contains(c.says, "alone") {
			t.Errorf("rule %q: %s", c.rule, text)
		}
	}
	// The rule loss does not consider candidates that are not on the grid.
	if chart, _ := ruleChart("loss", cuts(2, 0, 1.5, 4, 0), false); len(chart.Series[0].X) != 2 {
		t.Errorf("%+v", chart.Series[0])
	}
}

// TestTreeOnDisk checks that the tree and the scores of a clustering can be read back from clusters.json.
func TestTreeOnDisk(t *testing.T) {
	tree := &similarity.Dendrogram{N: 3, Merges: []similarity.Merge{{A: 0, B: 2, Height: 0.1, Size: 2}, {A: 1, B: 3, Height: 0.7, Size: 3}}}
	file := clustersJSON{Merges: []mergeJSON{{0, 2, 0.1}, {1, 3, 0.7}}, Clusters: [][]int{{10, 12}, {11}}, Clients: []int{10, 11, 12}}
	got := file.tree()
	if got == nil || got.N != tree.N || len(got.Merges) != 2 || got.Merges[0] != tree.Merges[0] || got.Merges[1] != tree.Merges[1] {
		t.Errorf("%+v", got)
	}
	if places := file.places(file.Clients); len(places) != 2 || places[0][1] != 2 || places[1][0] != 1 {
		t.Errorf("%v", places)
	}
	file.Merges[1].B = 9
	if got := file.tree(); got != nil {
		t.Errorf("a merge of a node that is not there: %+v", got)
	}
	if (&clustersJSON{}).tree() != nil {
		t.Error("a tree without merges")
	}
}
