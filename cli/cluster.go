package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/report/plot"
	"feddag/similarity"

	"github.com/spf13/pflag"
)

func init() {
	register("cluster", "find the clusters and the CC-graph, without training", cluster)
}

const clusterIntro = `Warms every client up, finds the clusters and the CC-graph (phases 1 to 4), and stops there; or, with --sketches,
begins from what the clients sent in an earlier run, or in any other program, without data set or training.
Takes the flags of train except those of the rounds.

Usage: feddag cluster [flags]
       feddag cluster --sketches FILE [flags]`

// clusterOptions are the flags of cluster alone.
type clusterOptions struct {
	sketches  string
	save      string
	compare   bool
	stability int
}

func (c *clusterOptions) flags(o *options) {
	f := o.group("Clustering alone")
	f.StringVar(&c.sketches, "sketches", "", "cluster these saved sketches: a folder of .npy arrays or a .npz file (class_counts, sparse_updates, principal_vectors, principal_vectors_owner; true_groups if known)")
	f.StringVar(&c.save, "save-sketches", "", "write the clients' sketches there: a folder, or a file that ends in .npz")
	f.BoolVar(&c.compare, "compare", false, "print a table of every linkage and spectral clustering by every choice rule")
	f.IntVar(&c.stability, "stability", 0, "cluster again this often with a random half of the mask's coordinates, and say what comes back; 0 for not")
	o.flags.AddFlagSet(f)
	o.unreadByCommand = func() []federation.UnreadFlag { return c.unread(o.flags) }
}

// unread returns the flags that have no effect where nothing is trained in rounds, or, with --sketches, nothing at all.
func (c *clusterOptions) unread(flags *pflag.FlagSet) []federation.UnreadFlag {
	var list []federation.UnreadFlag
	flags.VisitAll(func(f *pflag.Flag) {
		u := federation.UnreadFlag{Name: f.Name, Never: true}
		switch {
		case c.sketches != "" && !slices.Contains(sketchFlags, f.Name) && !federation.InFlagGroup(f, federation.ClusteringFlags):
			u.Where, u.Who = "with --sketches", "the file has what the clients sent; leave one of the two flags out"
		case federation.InFlagGroup(f, federation.RoundFlags):
			u.Where, u.Who = "in cluster, which stops before the rounds", "it is read by feddag train"
		default:
			return
		}
		list = append(list, u)
	})
	return list
}

func cluster(ctx context.Context, args []string, out, log io.Writer) error {
	if resume, err := scan(args, "resume"); err != nil {
		return err
	} else if resume != "" {
		return usagef("--resume has no effect in cluster, which stops before the rounds: a run is continued with feddag train --resume %s", resume)
	}
	var c clusterOptions
	o, err := parse(args, c.flags)
	if errors.Is(err, pflag.ErrHelp) {
		o.usage(out, clusterIntro)
		return nil
	}
	if err != nil {
		return err
	}
	alg, ok := o.alg.(federation.Clusterer)
	switch {
	case !ok:
		return usagef("--algorithm %s has no clustering before its rounds: use feddag", o.algorithm)
	case c.stability < 0:
		return usagef("--stability is %d: use 0 or more", c.stability)
	case c.sketches != "":
		return c.fromSketches(ctx, o, out, log)
	}
	if err := c.makeRoom(); err != nil {
		return err
	}
	s, err := open(ctx, o, "cluster-"+o.algorithm, log)
	if err != nil {
		return err
	}
	defer s.Close()
	var updates [][]float64
	var used similarity.Options
	r := &recorder{s: s, later: true, sketched: func(sketches []similarity.Sketch, groups []int, o similarity.Options) error {
		used = o
		for _, x := range sketches {
			updates = append(updates, x.Update)
		}
		if c.save == "" {
			return nil
		}
		return similarity.WriteSketches(c.save, sketches, groups)
	}}
	p := newProgress(log, o, 0)
	defer p.close()
	s.env.Observers = []federation.Observer{r, p}
	if err := s.env.Start(ctx); err != nil {
		return err
	}
	if _, err := alg.Cluster(s.env); err != nil {
		return err
	}
	seconds := s.env.Seconds()
	if err := c.more(r.found, updates, used, seconds, p.until(ctx)); err != nil {
		return err
	}
	p.close()
	sum := report.ClusteringSummary{Algorithm: o.algorithm, Dataset: o.dataset, Seed: o.run.Seed, Seconds: seconds, Device: o.device}
	sum.Seconds[setupStage] = s.setup
	sum.BytesUp, sum.BytesDown = s.env.Ledger.Total.Totals()
	return finishClustering(s.dir, r.found, o.plots, sum, s.started, out)
}

// makeRoom makes the folder that the sketches will be written to: better to find out before the warm-up than after it.
func (c *clusterOptions) makeRoom() error {
	if c.save == "" {
		return nil
	}
	folder := c.save
	if strings.HasSuffix(folder, ".npz") {
		folder = filepath.Dir(folder)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("--save-sketches %s: %w", c.save, err)
	}
	probe, err := os.CreateTemp(folder, ".probe*.tmp")
	if err != nil {
		return fmt.Errorf("--save-sketches %s: %w", c.save, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// more compares and resamples, where asked for.
func (c *clusterOptions) more(f *report.Clustering, updates [][]float64, o similarity.Options, seconds map[federation.Stage]float64, progress similarity.Progress) (err error) {
	if c.compare {
		began := time.Now()
		if f.Comparisons, err = similarity.Compare(f.Result.Proximity, o, progress); err != nil {
			return err
		}
		seconds[comparingStage] = time.Since(began).Seconds()
	}
	if c.stability > 0 {
		began := time.Now()
		if f.Stability, err = similarity.Stability(updates, f.Result, o, 0.5, c.stability, progress); err != nil {
			return err
		}
		seconds[stabilityStage] = time.Since(began).Seconds()
	}
	return nil
}

// finishClustering writes the files, the plots in each of the formats, and
// prints the results.
func finishClustering(d *report.Dir, f *report.Clustering, formats []plot.Format, sum report.ClusteringSummary, started time.Time, out io.Writer) error {
	began := time.Now()
	if err := d.WriteClustering(f, formats); err != nil {
		return err
	}
	sum.Seconds[filesStage] = time.Since(began).Seconds()
	if err := sum.SetClustering(f); err != nil {
		return err
	}
	sum.PeakRSS = report.PeakRSS()
	sum.Seconds[totalStage] = time.Since(started).Seconds()
	if err := d.WriteClusteringSummary(sum); err != nil {
		return err
	}
	line, err := report.Marshal(sum)
	if err != nil {
		return err
	}
	if err := f.Print(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "results: %s\n%s\n", d.Path(), line)
	return err
}
