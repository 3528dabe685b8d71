package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"feddag/federation"
	"feddag/internal/numfmt"
	"feddag/similarity"
	"feddag/similarity/groups"
)

// Page is what report.html shows.
type Page struct {
	Title    string // "FedDAG on fashion-mnist, seed 1"
	Summary  Summary
	Config   []Pair
	Env      any       // Env, or anything that encodes as a JSON object
	Classes  []string  // names of the classes; nil for their numbers
	Clusters []Cluster // empty for none
	Plots    []Plot    // files already written
	Rounds   []Round

	// Assignments are what happened to the clients; shown where there is more
	// than the clustering and the algorithm's own rounds.
	Assignments []Assignment

	// Candidates are what the search for the number of clusters looked at;
	// nil for an algorithm without one.
	Candidates []similarity.Candidate

	// Explained says what separates each pair of clusters that tests found
	// before the rounds.
	Explained []groups.Explanation
}

// Cluster is one row of the report's table of clusters.
type Cluster struct {
	Members   []int // client ids, ascending
	Samples   int   // training samples of all members
	Histogram []int // training samples of each class
}

// WriteHTML writes report.html: one page that needs no other file and no
// network, with the plots inside it.
func (d *Dir) WriteHTML(p Page) error {
	v, err := d.view(p)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(HTMLFile), err)
	}
	return d.WriteFile(HTMLFile, func(w io.Writer) error { return page.Execute(w, v) })
}

// view is a Page made ready for the template.
type view struct {
	Page
	Lines    []string // the first two lines of the summary
	TestSets string   // what the accuracies are over
	Accuracy []accuracyView
	Facts    []Pair
	EnvPairs []Pair
	Drawings []drawing
	Names    []string
	Groups   []clusterView
	Events   []eventView
	JSON     string
}

type eventView struct {
	Round           int
	What, Pre, Post string
	Clients         int
	Moves           []string
}

type accuracyView struct{ When, Phase, Balanced, Plain, Over string }

type clusterView struct {
	Cluster
	Cells []cellView
}

type cellView struct {
	Count string
	Style template.CSS
}

func (d *Dir) view(p Page) (view, error) {
	v := view{Page: p, Facts: p.Summary.factRows(), TestSets: p.Summary.testSets()}
	s := p.Summary
	v.Lines = []string{
		fmt.Sprintf("%s on %s, seed %d: %s, %s on %s.", s.Algorithm, s.Dataset, s.Seed, numfmt.Count(s.Rounds, "round"), s.Precision, s.on()),
		s.clusters() + ".",
	}
	for _, r := range s.accuracyRows() {
		v.Accuracy = append(v.Accuracy, accuracyView{r.when, r.phase, r.score.Balanced.String(), r.score.Accuracy.String(), r.over})
	}
	for _, plot := range p.Plots {
		drawn, err := d.readDrawing(plot)
		if err != nil {
			return v, err
		}
		v.Drawings = append(v.Drawings, drawn)
	}
	classes := 0
	for _, c := range p.Clusters {
		classes = max(classes, len(c.Histogram))
	}
	for c := range classes {
		name := strconv.Itoa(c)
		if c < len(p.Classes) {
			name = p.Classes[c]
		}
		v.Names = append(v.Names, name)
	}
	for _, c := range p.Clusters {
		v.Groups = append(v.Groups, clusterView{c, histogramCells(c.Histogram, classes)})
	}
	for _, h := range Happenings(p.Assignments) {
		v.Events = append(v.Events, eventView{h.Round, happeningText[h.Why], h.Pre.String(), h.Post.String(), len(h.Clients), h.Moves})
	}
	var err error
	if v.EnvPairs, err = flatten(p.Env); err != nil {
		return v, fmt.Errorf("the environment: %w", err)
	}
	if v.JSON, err = s.JSON(); err != nil {
		return v, fmt.Errorf("the summary: %w", err)
	}
	return v, nil
}

// happeningText says what Assignment.Why means.
var happeningText = map[federation.Reason]string{
	"join":   "joined",
	"leave":  "left",
	"shift":  "their data changed",
	"check":  "found changed, assigned anew",
	"search": "moved by a new search for the clusters",
}

// histogramCells shades each count by its share of the cluster's largest.
func histogramCells(counts []int, classes int) []cellView {
	cells := make([]cellView, classes)
	top := 1
	for _, n := range counts {
		top = max(top, n)
	}
	for c, n := range counts {
		if n <= 0 {
			continue
		}
		share := 0.12 + 0.55*float64(n)/float64(top)
		cells[c] = cellView{numfmt.Thousands(float64(n)), template.CSS(fmt.Sprintf("background:rgba(0,114,178,%.2f)", share))}
	}
	return cells
}

// flatten is v's JSON object as key and value pairs, in order; nested objects
// join their keys with a dot, and what is empty is left out.
func flatten(v any) ([]Pair, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	return flattenJSON("", raw)
}

func flattenJSON(prefix string, raw []byte) ([]Pair, error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%.40s is not a JSON object", raw)
	}
	var pairs []Pair
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		name := prefix + fmt.Sprint(key)
		if value[0] == '{' {
			inner, err := flattenJSON(name+".", value)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, inner...)
			continue
		}
		text := string(value)
		var s string
		var list []string
		switch {
		case text == "null":
			text = ""
		case json.Unmarshal(value, &s) == nil:
			text = s
		case json.Unmarshal(value, &list) == nil:
			text = strings.Join(list, " ")
		}
		if text != "" {
			pairs = append(pairs, Pair{Key: name, Value: text})
		}
	}
	return pairs, nil
}

// ranges writes ascending ids with runs shortened: 0-4, 7, 9-10.
func ranges(ids []int) string {
	ids = slices.Sorted(slices.Values(ids))
	var b strings.Builder
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(ids[i]))
		if j > i {
			b.WriteString("–" + strconv.Itoa(ids[j]))
		}
		i = j + 1
	}
	return b.String()
}
