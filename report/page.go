package report

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"

	"feddag/federation"
	"feddag/internal/numfmt"
)

// Page is the content of report.html, in addition to what is read from the run directory: clients.csv, the clusters and
// confusion.json.
type Page struct {
	Title    string // "FedDAG on fashion-mnist, seed 1"
	Summary  Summary
	Config   []Pair
	Env      any       // an Env, or any value that encodes as a JSON object
	Classes  []string  // names of the classes; nil if they only have numbers
	Clusters []Cluster // empty if there are none
	Rounds   []Round

	// Assignments are the events of the clients. They are shown if there are events other than the clustering and the
	// algorithm's own rounds.
	Assignments []Assignment
}

// Cluster is one row of the report's table of clusters.
type Cluster struct {
	Members   []int // client ids, ascending
	Samples   int   // training samples of all members
	Histogram []int // number of training samples per class
}

// WriteHTML writes report.html. The page contains its charts and needs no other file and no network.
func (d *Dir) WriteHTML(p Page) error {
	v, err := d.view(p)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Path(HTMLFile), err)
	}
	return d.WriteFile(HTMLFile, func(w io.Writer) error { return pages.ExecuteTemplate(w, "report.html", v) })
}

// view is a Page prepared for the template.
type view struct {
	Page
	Style template.CSS
	Lead  string
	Tiles []tile

	TestSets string // test sets on which accuracies are computed
	PreWith  string // model with which a client predicts before local training
	Curves   []drawing
	Accuracy []accuracyView
	Swing    string

	ClientsNote  string
	Distribution drawing
	Worst        []worstView
	Confusion    *confusionView

	ClustersNote          string
	Names                 []string // names of the classes, each of which has a column; nil if there are too many
	Groups                []clusterView
	HasScores, HasSources bool
	Searches              []searchView

	Events  []eventView
	History *drawing

	Time     template.HTML
	Facts    []Pair
	Command  string
	EnvPairs []Pair
	JSON     string
}

type eventView struct {
	Round           int
	What, Pre, Post string
	Clients         int
	Moves           []string
	Long            bool // there are too many moves for a row
}

type accuracyView struct{ When, Phase, Balanced, Plain, Over string }

func (d *Dir) view(p Page) (view, error) {
	s := p.Summary
	v := view{Page: p, Facts: slices.DeleteFunc(s.factRows(), func(p Pair) bool { return p.Key == "time" }), TestSets: s.testSets(), Swing: s.swing(), PreWith: "the model that the server assigns to it"}
	if s.PreWith != "" {
		v.PreWith = s.PreWith
	}
	v.Lead = fmt.Sprintf("%s, %s on %s. %s.", numfmt.Count(s.Rounds, "round"), s.Precision, s.on(), s.clusters())
	for _, r := range s.accuracyRows() {
		v.Accuracy = append(v.Accuracy, accuracyView{r.when, r.phase, r.score.Balanced.String(), r.score.Accuracy.String(), r.over})
	}
	for _, h := range Happenings(p.Assignments) {
		v.Events = append(v.Events, eventView{h.Round, happeningText[h.Why], h.Pre.String(), h.Post.String(), len(h.Clients), h.Moves, len(h.Moves) > 8})
	}
	clients, err := d.ReadClients()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return v, err
	}
	v.Tiles = s.tiles(clients)
	v.setClients(clients)
	v.Time = s.Seconds.chart()
	for _, step := range []func() error{
		func() (err error) { v.Style, err = style(); return err },
		func() (err error) { v.Curves, err = roundCurves(s, p.Rounds); return err },
		func() error { return v.readSearches(d) },
		func() error { v.setClusters(clients); return nil },
		func() (err error) { v.Confusion, err = d.confusionView(p.Classes); return err },
		func() (err error) { v.History, err = historyDrawing(p); return err },
		func() (err error) { v.EnvPairs, v.Command, err = environmentPairs(p.Env); return err },
		func() (err error) { v.JSON, err = s.JSON(); return err },
	} {
		if err := step(); err != nil {
			return v, err
		}
	}
	return v, nil
}

// happeningText describes each value of Assignment.Why.
var happeningText = map[federation.Reason]string{
	"join":   "joined",
	"leave":  "left",
	"shift":  "their data changed",
	"check":  "found changed, assigned anew",
	"search": "moved by a new search for the clusters",
}
