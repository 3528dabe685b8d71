package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/report"
	"feddag/similarity"
	"feddag/torch"
)

// recorder is the observer that fills the run directory.
type recorder struct {
	s          *session
	events     *report.Events
	candidates []similarity.Candidate
	ari        *float64
	warnings   []string
	next       int     // round
	clustered  bool    // before the first round
	counts     [][]int // of the clients that are clustered
	groups     []int   // their true groups; nil where not known
	ids        []int   // their ids; nil where they are all clients
	found      *found  // with later

	// sketched, if set, hears what is clustered; later leaves the files of the clustering to the caller.
	sketched func(sketches []similarity.Sketch, groups []int, o similarity.Options) error
	later    bool
}

func newRecorder(s *session) (*recorder, error) {
	r := &recorder{s: s}
	var err error
	if r.events, err = report.NewEvents(s.dir.Path()); err != nil {
		return nil, err
	}
	if s.checkpoint != nil {
		if err := r.events.Resume(int64(s.checkpoint.Rounds)); err != nil {
			return nil, err
		}
		r.next, r.clustered = s.checkpoint.Rounds, true
		return r, r.readClusters()
	}
	return r, nil
}

// Phase implements federation.Observer.
func (r *recorder) Phase(federation.Progress) {}

// Weights implements federation.Observer: model/NAME.safetensors.
func (r *recorder) Weights(name string, tensors []torch.NamedTensor) error {
	name = strings.Replace(name, "start-cluster-", "start-", 1)
	return r.s.dir.WriteFile("model/"+name+".safetensors", func(w io.Writer) error {
		return torch.WriteSafetensors(w, tensors, map[string]string{"format": "pt", "model": r.s.o.model})
	})
}

// Warn implements federation.WarningObserver.
func (r *recorder) Warn(text string) { r.warnings = append(r.warnings, text) }

// Ready implements federation.Observer.
func (r *recorder) Ready([]federation.Score) error { return nil }

// Round implements federation.Observer: a line of metrics.jsonl, and those of assignments.jsonl.
func (r *recorder) Round(result federation.RoundResult) error {
	r.next = result.Round + 1
	if err := r.s.dir.AppendAssignments(assignments(result)); err != nil {
		return err
	}
	line := roundLine(result)
	if result.Clusters != nil {
		n := inhabited(result.Clusters)
		r.ari = randIndex(result.Clusters, r.s.env.Clients)
		line.Clusters, line.AdjustedRandIndex = &n, r.ari
	}
	if err := r.s.dir.AppendMetrics(line); err != nil {
		return err
	}
	return r.events.Round(line)
}

func roundLine(r federation.RoundResult) report.Round {
	up, down := r.Traffic.Totals()
	return report.Round{
		Round: r.Round, TrainLoss: r.Loss,
		Pre: score(r.All), CohortPre: score(r.Pre), CohortPost: score(r.Post),
		BytesUp: up, BytesDown: down, Seconds: r.Seconds, Samples: r.Samples, Clients: r.Cohort, Dropped: r.Dropped,
		Notes: r.Notes, TrainingSamples: r.Work.Training, ForwardSamples: r.Work.Forward,
	}
}

// inhabited counts the clusters that have members.
func inhabited(clusters [][]int) (n int) {
	for _, members := range clusters {
		if len(members) > 0 {
			n++
		}
	}
	return n
}

// randIndex compares clusters of client ids with the true groups; nil where some have none.
func randIndex(clusters [][]int, clients []*federation.Client) *float64 {
	var found, groups []int
	for z, members := range clusters {
		for _, i := range members {
			if clients[i].Group < 0 {
				return nil
			}
			found, groups = append(found, z), append(groups, clients[i].Group)
		}
	}
	x, err := similarity.AdjustedRandIndex(found, groups)
	if err != nil {
		return nil
	}
	return &x
}

// score is the mean and deviation over clients, in percent; not a score where there is none.
func score(scores []federation.Score) report.Score {
	balanced, accuracy := make([]float64, len(scores)), make([]float64, len(scores))
	for i, s := range scores {
		balanced[i], accuracy[i] = 100*s.Balanced, 100*s.Accuracy
	}
	return report.Score{Balanced: report.NewStat(balanced), Accuracy: report.NewStat(accuracy)}
}

// Sketched implements federation.ClusterObserver.
func (r *recorder) Sketched(clients []*federation.Client, sketches []similarity.Sketch, o similarity.Options) error {
	r.counts, r.groups, r.ids = nil, nil, nil
	for i, c := range clients {
		r.ids = append(r.ids, c.ID)
		r.counts = append(r.counts, sketches[i].Counts)
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

// Clustered implements federation.Observer: clusters.json, proximity.npy, the CC-graph and the plots. Those of a search
// that a scenario asks for, before round 20, go to the folder search-20.
func (r *recorder) Clustered(c *similarity.Result) error {
	dir := r.s.dir
	if r.clustered {
		dir = dir.Sub(fmt.Sprintf("search-%d", r.next))
	}
	r.clustered = true
	r.found = &found{title: r.s.title(), result: c, counts: r.counts, groups: r.groups, ids: r.ids, classes: r.s.set.ClassNames}
	r.candidates = c.Candidates
	good, err := r.found.validity()
	if err != nil {
		return err
	}
	r.ari = good.ARI
	if r.later { // there is more to be found out first
		return nil
	}
	err = r.found.write(dir)
	r.found = nil // N x N matrices, which the rounds have no use for
	return err
}

// readClusters takes up what an interrupted run found, for the report.
func (r *recorder) readClusters() error {
	if _, ok := r.s.o.alg.(federation.Clusterer); !ok {
		return nil
	}
	var saved clustersJSON
	if err := r.s.dir.ReadJSON("clusters.json", &saved); err != nil {
		return err
	}
	r.ari = saved.ARI
	for _, k := range saved.Candidates {
		r.candidates = append(r.candidates, similarity.Candidate{
			Threshold: float64(k.Threshold), Clusters: k.Clusters, Loss: float64(k.Loss), L1: float64(k.L1), L2: float64(k.L2),
			Silhouette: float64(k.Silhouette), Ratio: float64(k.Ratio), Chosen: k.Chosen,
		})
	}
	return nil
}

// title names the run in plots and reports.
func (s *session) title() string {
	name := s.o.label
	if name == "" {
		name = s.o.algorithm
	}
	return fmt.Sprintf("%s on %s, seed %d", name, s.set.Title, s.o.run.Seed)
}
