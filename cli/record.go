package cli

import (
	"fmt"
	"io"
	"math"
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

// Ready implements federation.Observer.
func (r *recorder) Ready([]federation.Score) error { return nil }

// Round implements federation.Observer: a line of metrics.jsonl.
func (r *recorder) Round(result federation.RoundResult) error {
	line := roundLine(result)
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
		BytesUp: up, BytesDown: down, Seconds: r.Seconds, Samples: r.Samples, Clients: r.Cohort,
	}
}

// score is the mean and deviation over clients, in percent; not a score where there is none.
func score(scores []federation.Score) report.Score {
	balanced, accuracy := make([]float64, len(scores)), make([]float64, len(scores))
	for i, s := range scores {
		balanced[i], accuracy[i] = 100*s.Balanced, 100*s.Accuracy
	}
	return report.Score{Balanced: report.NewStat(balanced), Accuracy: report.NewStat(accuracy)}
}

// clustersJSON is clusters.json.
type clustersJSON struct {
	Clusters   [][]int         `json:"clusters"` // client ids
	ARI        *float64        `json:"adjusted_rand_index"`
	Groups     []int           `json:"true_groups"` // of each client
	Threshold  float64         `json:"threshold"`
	Graph      [][]int         `json:"graph"`           // sources of each cluster
	Scores     [][]float64     `json:"complementarity"` // H, null on the diagonal
	Gates      []float64       `json:"gates"`           // 1 is gradient only
	Entropy    [2]float64      `json:"entropy"`         // before and after learning the gates, nats
	Candidates []candidateJSON `json:"candidates"`
}

type candidateJSON struct {
	Threshold  float64 `json:"threshold"`
	Count      int     `json:"count"`
	Loss       float64 `json:"loss"`
	L1         float64 `json:"l1"`
	L2         float64 `json:"l2"`
	Silhouette float64 `json:"silhouette"`
	Ratio      float64 `json:"ratio"`
	Chosen     bool    `json:"chosen"`
	Clusters   [][]int `json:"clusters"`
}

// Clustered implements federation.Observer: clusters.json, proximity.npy and their plots.
func (r *recorder) Clustered(c *similarity.Result) error {
	d := r.s.dir
	r.candidates = c.Candidates
	r.setARI(c.Clusters)
	out := clustersJSON{
		Clusters: c.Clusters, ARI: r.ari, Groups: r.s.partition.Groups, Threshold: c.Threshold, Graph: c.Graph,
		Gates: c.Gates, Entropy: [2]float64{c.EntropyBefore, c.EntropyAfter},
	}
	for p := range c.Clusters {
		row := make([]float64, len(c.Clusters))
		for q := range row {
			row[q] = c.Complementarity.At(p, q)
			if math.IsInf(row[q], 0) {
				row[q] = math.NaN()
			}
		}
		out.Scores = append(out.Scores, row)
	}
	for _, k := range c.Candidates {
		out.Candidates = append(out.Candidates, candidateJSON{
			k.Threshold, len(k.Clusters), k.Loss, k.L1, k.L2, k.Silhouette, k.Ratio, k.Chosen, k.Clusters,
		})
	}
	if err := d.WriteJSON("clusters.json", out); err != nil {
		return err
	}
	if err := d.WriteNPY("proximity.npy", c.Proximity); err != nil {
		return err
	}
	title := r.s.title()
	cuts, chosen := report.SearchCuts(&similarity.Choice{
		Candidates: c.Candidates, Threshold: c.Threshold, Clusters: c.Clusters, Dendrogram: c.Dendrogram,
	})
	err := d.WriteFile(searchPlot, func(w io.Writer) error {
		return report.SearchPlot(w, "Search for the number of clusters\n"+title, cuts, chosen)
	})
	if err != nil {
		return err
	}
	return d.WriteFile(heatPlot, func(w io.Writer) error {
		return report.HeatMap(w, "Proximity of the clients, ordered by cluster (0 is alike)\n"+title, c.Proximity, c.Clusters)
	})
}

const (
	searchPlot = "plots/search.svg"
	heatPlot   = "plots/proximity.svg"
)

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
			Threshold: k.Threshold, Clusters: k.Clusters, Loss: k.Loss, L1: k.L1, L2: k.L2,
			Silhouette: k.Silhouette, Ratio: k.Ratio, Chosen: k.Chosen,
		})
	}
	return nil
}

// setARI compares the clusters with the true groups, where the partition has them.
func (r *recorder) setARI(clusters [][]int) {
	groups := r.s.partition.Groups
	if groups == nil {
		return
	}
	if x, err := similarity.AdjustedRandIndex(similarity.Labels(clusters, len(groups)), groups); err == nil {
		r.ari = &x
	}
}

// title names the run in plots and reports.
func (s *session) title() string {
	return fmt.Sprintf("%s on %s, seed %d", s.o.algorithm, s.o.dataset, s.o.run.Seed)
}
