package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/similarity"

	"github.com/spf13/pflag"
)

func init() {
	register("cluster", "find the clusters and the CC-graph, without training", cluster)
}

const clusterIntro = `Warms every client up, finds the clusters and the CC-graph (phases 1 to 4), and stops there.
Takes the flags of train; those of the rounds have no effect.

Usage: feddag cluster [flags]`

// clustering is the summary of the command, its last line on standard output.
type clustering struct {
	Algorithm string             `json:"algorithm"`
	Dataset   string             `json:"dataset"`
	Seed      uint64             `json:"seed"`
	Clusters  int                `json:"clusters"`
	ARI       *float64           `json:"adjusted_rand_index,omitempty"`
	Threshold float64            `json:"threshold"`
	Loss      float64            `json:"loss"`
	Sizes     []int              `json:"sizes"`
	Graph     [][]int            `json:"graph"`
	BytesUp   int64              `json:"bytes_up"`
	BytesDown int64              `json:"bytes_down"`
	Seconds   map[string]float64 `json:"seconds"`
	Device    string             `json:"device"`
}

func cluster(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		o.usage(out, clusterIntro)
		return nil
	}
	if err != nil {
		return err
	}
	alg, ok := o.alg.(federation.Clusterer)
	if !ok {
		return usagef("--algorithm %s has no clustering before its rounds: use feddag", o.algorithm)
	}
	if o.resume != "" {
		return usagef("cluster has nothing to resume: use train --resume")
	}
	s, err := open(o, "cluster-"+o.algorithm, log)
	if err != nil {
		return err
	}
	defer s.Close()
	r := &recorder{s: s}
	p := newProgress(log, o, 0)
	s.env.Observers = []federation.Observer{r, p}
	if err := s.env.Start(ctx); err != nil {
		return err
	}
	result, err := alg.Cluster(s.env)
	p.close()
	if err != nil {
		return err
	}
	return s.printClusters(r, result, out)
}

func (s *session) printClusters(r *recorder, result *similarity.Result, out io.Writer) error {
	sum := clustering{
		Algorithm: s.o.algorithm, Dataset: s.o.dataset, Seed: s.o.run.Seed, Clusters: len(result.Clusters), ARI: r.ari,
		Threshold: result.Threshold, Graph: result.Graph, Seconds: s.env.Seconds(), Device: s.o.device,
	}
	sum.Seconds["setup"], sum.Seconds["total"] = s.setup, time.Since(s.started).Seconds()
	sum.BytesUp, sum.BytesDown = s.env.Ledger.Total.Totals()
	for _, c := range result.Candidates {
		if c.Chosen {
			sum.Loss = c.Loss
		}
	}
	for z, row := range s.clusters() {
		sum.Sizes = append(sum.Sizes, len(row.Members))
		fmt.Fprintf(out, "cluster %d: %d clients, samples by class %v, learns from %v\n", z, len(row.Members), row.Histogram, result.Graph[z])
	}
	if r.ari != nil {
		fmt.Fprintf(out, "adjusted Rand index %.3f against the true groups\n", *r.ari)
	}
	if err := s.dir.WriteJSON(report.SummaryFile, sum); err != nil {
		return err
	}
	line, err := report.Marshal(sum)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "results: %s\n%s\n", s.dir.Path(), line)
	return err
}
