package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"feddag/federation"
	"feddag/report"
	"feddag/similarity"
	"feddag/torch"
)

// sketchFlags are the flags that have an effect on saved sketches, besides the flags of the algorithm's clustering (the group
// [federation.ClusteringFlags]).
var sketchFlags = []string{"sketches", "compare", "stability", "algorithm", "preset", "seed", "out", "plots", "quiet"}

// matchSketches selects the clustering method that the saved sketches are for, before the flags are parsed. If the sketches
// cannot be read, the command reports it later.
func matchSketches(o *options, path string) {
	alg, ok := o.alg.(federation.SketchClusterer)
	if path == "" || !ok {
		return
	}
	if file, err := similarity.OpenArchive(path); err == nil {
		_ = o.flags.Lookup(alg.FoundByFlag()).Value.Set(file.FoundBy()) // A text flag takes every value.
		_ = file.Close()                                                // It was only read.
	}
}

// fromSketches implements cluster --sketches: it runs phases 2 to 4 on saved sketches.
func (c *clusterOptions) fromSketches(ctx context.Context, o *options, out, log io.Writer) (err error) {
	started := time.Now()
	alg, ok := o.alg.(federation.SketchClusterer)
	if !ok {
		return usagef("--algorithm %s does not cluster sketches: use feddag", o.algorithm)
	}
	file, err := similarity.OpenArchive(c.sketches)
	if err != nil {
		return err
	}
	defer file.Close()
	if file.FoundBy() != alg.FoundBy() {
		return usagef("--sketches %s are for --%s %s, not %s: leave out --%s and --preset", c.sketches, alg.FoundByFlag(), file.FoundBy(), alg.FoundBy(), alg.FoundByFlag())
	}
	name := strings.TrimSuffix(filepath.Base(filepath.Clean(c.sketches)), ".npz")
	s := &session{o: o, started: started}
	defer s.Close()
	if err := s.makeDir(ctx, log, "cluster-"+name); err != nil {
		return err
	}
	dir := s.dir
	if err := dir.WriteEnv(report.NewEnv()); err != nil {
		return err
	}
	if err := dir.WriteConfig(o.pairs()); err != nil {
		return err
	}
	torch.UseBLAS()
	used := alg.SketchOptions(o.run.Seed)
	p := newProgress(log, o, 0)
	defer p.close()
	sum := report.ClusteringSummary{Algorithm: o.algorithm, Sketches: c.sketches, Seed: o.run.Seed, Seconds: map[federation.Stage]float64{setupStage: time.Since(started).Seconds()}}
	began := time.Now()
	result, err := file.Cluster(used, p.until(ctx))
	if err != nil {
		return err
	}
	sum.Seconds[federation.ClusteringStage] = time.Since(began).Seconds()
	f := &report.Clustering{Title: fmt.Sprintf("sketches %s, seed %d", name, o.run.Seed), Result: result, Counts: file.ClassCounts(), Groups: file.Groups()}
	if err := c.more(f, file, used, sum.Seconds, p.until(ctx)); err != nil {
		return err
	}
	p.close()
	return finishClustering(dir, f, o.plots, sum, started, out)
}
