package cli

import (
	"fmt"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/report"
	"feddag/similarity"
	"feddag/torch"
)

// recorder is the observer that fills the run directory.
type recorder struct {
	s         *session
	events    *report.Events
	ari       *float64
	foundBy   string // what found the clusters before the rounds; see report.Summary
	warnings  []string
	next      int                // index of the next round
	clustered bool               // the clusters before the first round were found
	counts    [][]int            // class counts of the clustered clients
	groups    []int              // true groups of the clustered clients; nil if they are not known
	ids       []int              // ids of the clustered clients; nil if all clients are clustered
	found     *report.Clustering // the clustering, if later is set

	// sketched, if set, is called with the sketches to be clustered. later means that the caller writes the files of the
	// clustering.
	sketched func(sketches similarity.Sketches, groups []int, o similarity.Options) error
	later    bool
}

func newRecorder(s *session) (*recorder, error) {
	r := &recorder{s: s}
	var err error
	if r.events, err = report.NewEvents(s.dir.Path()); err != nil {
		return nil, err
	}
	if s.checkpoint != nil {
		if err := r.events.Resume(int64(federation.RoundNumber(s.checkpoint.Rounds))); err != nil {
			return nil, err
		}
		r.next, r.clustered = s.checkpoint.Rounds, true
		return r, r.readClusters()
	}
	return r, nil
}

// Phase implements federation.Observer.
func (r *recorder) Phase(federation.Progress) {}

// Weights implements federation.Observer. It writes model/NAME.safetensors.
func (r *recorder) Weights(name string, tensors []torch.NamedTensor) error {
	return r.s.dir.WriteModel(strings.Replace(name, "start-cluster-", "start-", 1), r.s.o.model, tensors)
}

// Warn implements federation.WarningObserver.
func (r *recorder) Warn(text string) { r.warnings = append(r.warnings, text) }

// Ready implements federation.Observer.
func (r *recorder) Ready([]federation.Score) error { return nil }

// Round implements federation.Observer. It writes a line of metrics.jsonl and the round's lines of assignments.jsonl.
func (r *recorder) Round(result federation.RoundResult) error {
	r.next = result.Round + 1
	if err := r.s.dir.AppendAssignments(report.NewAssignments(result)); err != nil {
		return err
	}
	line := report.NewRound(result, r.s.env.Clients)
	if line.Clusters != nil {
		r.ari = line.AdjustedRandIndex
	}
	if result.Confusion != nil {
		if err := r.s.dir.WriteConfusion(result.Confusion); err != nil {
			return err
		}
	}
	if err := r.s.dir.AppendMetrics(line); err != nil {
		return err
	}
	return r.events.Round(line)
}

// Sketched implements federation.ClusterObserver.
func (r *recorder) Sketched(clients []*federation.Client, sketches similarity.Sketches, o similarity.Options) error {
	r.counts, r.groups, r.ids = sketches.ClassCounts(), nil, nil
	for _, c := range clients {
		r.ids = append(r.ids, c.ID)
		if c.Group >= 0 {
			r.groups = append(r.groups, c.Group)
		}
	}
	if len(r.groups) != len(clients) {
		r.groups = nil
	}
	if slices.IsSorted(r.ids) && len(r.ids) == len(r.s.env.Clients) {
		r.ids = nil
	}
	if r.sketched == nil {
		return nil
	}
	return r.sketched(sketches, r.groups, o)
}

// Clustering implements federation.ClusterObserver.
func (r *recorder) Clustering(string, int, int) {}

// Clustered implements federation.Observer. It writes clusters.json, proximity.npy, the CC-graph and the plots. If a scenario
// asks for a new search for the clusters, such as before round 21, its files go to the folder search-21.
func (r *recorder) Clustered(c *similarity.Result) error {
	dir, title := r.s.dir, r.s.title()
	if !r.clustered {
		r.foundBy = c.FoundBy
	} else {
		number := federation.RoundNumber(r.next)
		dir = r.s.dir.Sub(fmt.Sprintf("search-%d", number))
		title += fmt.Sprintf(", the search before round %d", number)
	}
	r.clustered = true
	r.found = &report.Clustering{Title: title, Result: c, Counts: r.counts, Groups: r.groups, IDs: r.ids, Classes: r.s.set.ClassNames}
	good, err := r.found.Validity()
	if err != nil {
		return err
	}
	r.ari = good.ARI
	if r.later { // the caller adds to the clustering and writes it
		return nil
	}
	err = dir.WriteClustering(r.found, r.s.o.plots)
	r.found = nil // frees the N x N matrices, which the rounds do not need
	return err
}

// readClusters reads the clusters that an interrupted run has written, for the report.
func (r *recorder) readClusters() error {
	if _, ok := r.s.o.alg.(federation.Clusterer); ok {
		kept, err := r.s.dir.ReadClusters()
		if err != nil {
			return err
		}
		r.ari, r.foundBy = kept.ARI, kept.FoundBy
		if a, ok := r.s.o.alg.(federation.SketchClusterer); ok && r.foundBy == "" { // a file of an earlier version
			r.foundBy = a.FoundBy()
		}
	}
	rounds, err := r.s.dir.ReadMetrics()
	for _, line := range rounds {
		if line.Clusters != nil {
			r.ari = line.AdjustedRandIndex
		}
	}
	return err
}

// title names the run in plots and reports.
func (s *session) title() string {
	name := s.o.label
	if name == "" {
		name = s.o.algorithm
	}
	return fmt.Sprintf("%s on %s, seed %d%s", name, s.set.Title, s.o.run.Seed, report.ShareNote(s.o.run.EvalShare))
}
