package report

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"
)

// shownClasses is the largest number of classes with which each class has a column in the tables of a page.
const shownClasses = 30

type clusterView struct {
	Cluster
	Number             int
	Colour             string
	Cells              []cellView
	Commonest          string // the most frequent classes, if the cells are left out
	Pre, Post, Sources string
	Width              template.CSS // width of the bar of Pre
}

type cellView struct {
	Count string
	Style template.CSS
}

// shadedCell returns a cell that is shaded according to a share from 0 to 1. The shade is light enough for its text to be
// readable.
func shadedCell(text string, share float64) cellView {
	return cellView{text, template.CSS(fmt.Sprintf("--s:%.0f%%", 8+50*share))}
}

// setClusters fills in the table of clusters. The searches must have been read before.
func (v *view) setClusters(clients []Client) {
	if len(v.Clusters) == 0 {
		return
	}
	classes := 0
	for _, c := range v.Clusters {
		classes = max(classes, len(c.Histogram))
	}
	if classes <= shownClasses {
		for c := range classes {
			v.Names = append(v.Names, plot.Name(v.Classes, c))
		}
	}
	var pre, post = make([][]float64, len(v.Clusters)), make([][]float64, len(v.Clusters))
	for _, c := range clients {
		if c.Cluster >= 0 && c.Cluster < len(v.Clusters) {
			pre[c.Cluster], post[c.Cluster] = append(pre[c.Cluster], c.Pre.Balanced), append(post[c.Cluster], c.Post.Balanced)
		}
	}
	var sources [][]int
	if n := len(v.Searches); n > 0 && len(v.Searches[n-1].graph) == len(v.Clusters) && len(v.Events) == 0 {
		sources = v.Searches[n-1].graph
	}
	for z, c := range v.Clusters {
		row := clusterView{Cluster: c, Number: z, Colour: "k" + strconv.Itoa(z%8), Pre: "–", Post: "–", Width: "0"}
		if s := NewStat(pre[z]); finite(s.Mean) {
			v.HasScores = true
			row.Pre, row.Width = s.String(), template.CSS(fmt.Sprintf("%.0f%%", s.Mean))
		}
		if s := NewStat(post[z]); finite(s.Mean) {
			row.Post = s.String()
		}
		if z < len(sources) {
			v.HasSources = true
			row.Sources = listed(sources[z])
		}
		if v.Names != nil {
			row.Cells = histogramCells(c.Histogram, classes)
		} else {
			row.Commonest = commonest(c.Histogram, v.Classes, 3)
		}
		v.Groups = append(v.Groups, row)
	}
	v.ClustersNote = "These are the clusters at the end of the run. Click a number of clients to list them."
	if v.HasScores {
		v.ClustersNote += " Before and after are the balanced accuracies before and after local training: mean ± standard deviation over the members, as last measured."
	}
	if v.HasSources {
		v.ClustersNote += " Learns from lists the sources of the cluster in the CC-graph, the best one first. Only FedDAG with two encoders trains along this graph."
	}
	if v.Names != nil {
		v.ClustersNote += " The numbers under the classes are the training samples of all members, shaded by their share of the cluster's largest class."
	}
}

func listed(numbers []int) string {
	if len(numbers) == 0 {
		return "nobody"
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ", ")
}

// histogramCells shades each count by its ratio to the largest count of the cluster.
func histogramCells(counts []int, classes int) []cellView {
	cells := make([]cellView, classes)
	top := 1
	for _, n := range counts {
		top = max(top, n)
	}
	for c, n := range counts {
		if n > 0 {
			cells[c] = shadedCell(numfmt.Thousands(float64(n)), float64(n)/float64(top))
		}
	}
	return cells
}
