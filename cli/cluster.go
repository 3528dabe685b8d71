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
	"feddag/internal/atomicfile"
	"feddag/report"
	"feddag/report/plot"
	"feddag/similarity"
	"feddag/similarity/groups"

	"github.com/spf13/pflag"
)

func init() {
	register("cluster", "find the clusters and the CC-graph, without training", cluster)
}

const clusterIntro = `Finds the clusters and the CC-graph (phases 1 to 4), and stops there. With --sketches, it needs no data set and starts from
what the clients sent in an earlier run or in another program. With --feddag-clustering similarity, every client trains alone
first (warm-up). It takes the flags of train except those of the rounds.

Usage: feddag cluster [flags]
       feddag cluster --sketches FILE [flags]`

// clusterOptions are the flags that only cluster has.
type clusterOptions struct {
	sketches  string
	save      string
	compare   bool
	stability int
}

func (c *clusterOptions) flags(o *options) {
	f := o.ownGroup("Clustering alone")
	f.StringVar(&c.sketches, "sketches", "", "folder of .npy arrays, or .npz file, with saved sketches to cluster; its arrays determine the clustering method (docs/clustering.md)")
	f.StringVar(&c.save, "save-sketches", "", "folder or .npz file to write the clients' sketches to")
	f.BoolVar(&c.compare, "compare", false, "print a table of the clusterings that each linkage and spectral clustering find with each rule for the number of clusters")
	f.IntVar(&c.stability, "stability", 0, "number of times to repeat the clustering with a random half of what the clients sent, and to print how far the clusterings agree: half of the mask's coordinates, or half of the images if tests find the clusters (at most 2 times); 0 for none")
	o.flags.AddFlagSet(f)
	o.unreadByCommand = func() []federation.UnreadFlag { return c.unread(o) }
	o.compares = func() bool { return c.compare }
}

// unread returns the flags that have no effect because there are no rounds of training, because nothing is trained before the
// clustering either, or because nothing is trained at all (--sketches).
func (c *clusterOptions) unread(o *options) []federation.UnreadFlag {
	var list []federation.UnreadFlag
	alg, ok := o.alg.(federation.SketchClusterer)
	byTest := ok && alg.FoundBy() == similarity.FoundByTest
	o.flags.VisitAll(func(f *pflag.Flag) {
		u := federation.UnreadFlag{Name: f.Name, Never: true}
		switch {
		case c.sketches != "" && !slices.Contains(sketchFlags, f.Name) && !federation.InFlagGroup(f, federation.ClusteringFlags):
			u.Where, u.Who = "with --sketches", "the file has what the clients sent; leave one of the two flags out"
		case federation.InFlagGroup(f, federation.RoundFlags):
			u.Where, u.Who = "in cluster, which stops before the rounds", "it is read by feddag train"
		case byTest && federation.InFlagGroup(f, federation.TrainingFlags):
			u.Where = fmt.Sprintf("in cluster with --%s %s, which trains nothing", alg.FoundByFlag(), alg.FoundBy())
			u.Who, u.Never = "it is read by feddag train", false
		case byTest && f.Name == "compare":
			u.Where = fmt.Sprintf("with --%s %s", alg.FoundByFlag(), alg.FoundBy())
			u.Who, u.Never = fmt.Sprintf("it is read by --%s %s", alg.FoundByFlag(), similarity.FoundBySimilarity), false
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
	saved, err := scan(args, "sketches")
	if err != nil {
		return err
	}
	o, err := parse(args, c.flags, func(o *options) { matchSketches(o, saved) })
	if errors.Is(err, pflag.ErrHelp) {
		return o.usage(out, "cluster", clusterIntro, helpTopic(args))
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
	}
	if err := c.checkStability(o.alg); err != nil {
		return err
	}
	if c.sketches != "" {
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
	var sketches similarity.Sketches
	var used similarity.Options
	r := &recorder{s: s, later: true, sketched: func(sent similarity.Sketches, groups []int, o similarity.Options) error {
		sketches, used = sent, o
		if c.save == "" {
			return nil
		}
		return similarity.Write(c.save, sent, groups)
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
	if err := c.more(r.found, sketches, used, seconds, p.until(ctx)); err != nil {
		return err
	}
	p.close()
	sum := report.ClusteringSummary{Algorithm: o.algorithm, Dataset: o.dataset, Seed: o.run.Seed, Seconds: seconds, Device: o.device}
	sum.Seconds[setupStage] = s.setup
	sum.BytesUp, sum.BytesDown = s.env.Ledger.Total.Totals()
	return finishClustering(s.dir, r.found, o.plots, sum, s.started, out)
}

// checkStability returns an error for a number of repetitions that is not possible.
func (c *clusterOptions) checkStability(alg federation.Algorithm) error {
	a, ok := alg.(federation.SketchClusterer)
	if c.stability > 0 && ok && a.FoundBy() == similarity.FoundByTest && c.stability != groups.Halves {
		return usagef("--stability is %d: with --%s %s the clients send %d halves of their images, and the clusters are found again in each: use %d, or 0 for none",
			c.stability, a.FoundByFlag(), a.FoundBy(), groups.Halves, groups.Halves)
	}
	return nil
}

// makeRoom makes the folder that the sketches will be written to, so that an error shows before the warm-up and not after it.
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
	if err := atomicfile.Probe(folder); err != nil {
		return fmt.Errorf("--save-sketches %s: %w", c.save, err)
	}
	return nil
}

// more compares clusterings and resamples the sketches, if the flags ask for it.
func (c *clusterOptions) more(f *report.Clustering, sketches similarity.Sketches, o similarity.Options, seconds map[federation.Stage]float64, progress similarity.Progress) (err error) {
	if c.compare {
		began := time.Now()
		if f.Comparisons, err = similarity.Compare(f.Result.Proximity, o, progress); err != nil {
			return err
		}
		seconds[comparingStage] = time.Since(began).Seconds()
	}
	if c.stability > 0 {
		began := time.Now()
		if f.Stability, err = sketches.Stability(f.Result, o, c.stability, progress); err != nil {
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
