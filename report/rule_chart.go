package report

import (
	"fmt"
	"math"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"
	"feddag/similarity"
)

// ruleText describes the score by which each rule chooses the number of clusters: its name, and a sentence.
var ruleText = map[string]struct{ score, text string }{
	"silhouette": {"mean silhouette, for the rule", "The rule silhouette takes the candidate with the highest mean silhouette. One that merely sets outliers apart counts as 0, and so does one of more than √N clusters whose silhouette is below 0.5."},
	"bend":       {"bend of the distance within clusters", "The rule bend takes the candidate after which the log mean distance within clusters stops falling: its fall to the candidate less its fall to the next one."},
	"ratio":      {"height of the next merge over the last", "The rule ratio takes the candidate whose next merge is highest as a multiple of its last one."},
	"eigengap":   {"distance to the next eigenvalue", "The rule eigengap takes the candidate with the largest distance of the Laplacian's eigenvalue of its number to the next one."},
	"loss":       {"loss of the next coarser candidate over its own", "The rule loss takes the candidate that lowers the loss L (eq. 10) most, as a ratio to the loss of the next coarser candidate."},
}

// ruleChart draws the score of each candidate against the number of clusters, and returns a text that explains the choice.
// rule is a value of similarity.Options.Choose, or empty if it is not known. spectral means that there was no tree to cut.
func ruleChart(rule string, candidates []similarity.Candidate, spectral bool) (plot.LineChart, string) {
	name, number, _ := strings.Cut(rule, ":")
	known, scored := ruleText[name]
	chart := plot.LineChart{Title: "Search for the number of clusters", XLabel: "number of clusters", YLabel: known.score, IntegerX: true}
	var score, silhouette plot.Series
	score.Name, silhouette.Name, silhouette.Dashed = known.score, "mean silhouette", true
	best, chosen, anyScore := -1, -1, false
	for k, c := range candidates {
		z := float64(len(c.Clusters))
		silhouette.X, silhouette.Y = append(silhouette.X, z), append(silhouette.Y, c.Silhouette)
		if c.Chosen {
			chosen = k
		}
		anyScore = anyScore || c.Score != 0
		if name == "loss" && c.Score == 0 { // the candidate is not on the grid of the rule
			continue
		}
		score.X, score.Y = append(score.X, z), append(score.Y, c.Score)
		if best < 0 || c.Score > candidates[best].Score {
			best = k
		}
	}
	mark := func(y float64) {
		if chosen >= 0 {
			chart.Marks = []plot.Mark{{Name: "chosen: " + numfmt.Count(len(candidates[chosen].Clusters), "cluster"), X: float64(len(candidates[chosen].Clusters)), Y: y}}
		}
	}
	if !scored || !anyScore {
		chart.YLabel, chart.Series = "mean silhouette", []plot.Series{{Name: "mean silhouette", X: silhouette.X, Y: silhouette.Y}}
		if chosen >= 0 {
			mark(candidates[chosen].Silhouette)
		}
		switch name {
		case "count":
			return chart, "The number of clusters was given (" + number + "), not searched for. The silhouette of other numbers stands beside it."
		case "fixed":
			return chart, "The tree was cut at the given height α = " + number + ". The silhouette of other numbers of clusters stands beside it."
		}
		return chart, "Mean silhouette of the candidates. The file of this run does not hold what its rule compared."
	}
	chart.Series = []plot.Series{score}
	least := similarity.LeastScore(name)
	chart.Levels = []plot.Level{{Name: fmt.Sprintf("least for more than one cluster: %s", shortest(least)), Y: least}}
	text := known.text + fmt.Sprintf(" Where no candidate is above %s, there is one cluster.", shortest(least))
	if name == "silhouette" {
		chart.Series = append(chart.Series, silhouette)
	}
	if chosen >= 0 {
		y := candidates[chosen].Score
		if name == "loss" && y == 0 {
			y = math.Max(least, 0)
		}
		mark(y)
		if best >= 0 && candidates[best].Score > least && len(candidates[chosen].Clusters) < len(candidates[best].Clusters) && !spectral {
			text += fmt.Sprintf(" The rule alone takes %d clusters. Clusters whose members give images the same labels were then merged (--feddag-concepts), which leaves %d.", len(candidates[best].Clusters), len(candidates[chosen].Clusters))
		}
	}
	return chart, text
}
