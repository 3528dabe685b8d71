package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("train", "train a federation: find the clusters, do the rounds, write a report", train)
}

// The flag of train that does not begin a run.
const (
	dryRunFlag  = "dry-run"
	dryRunUsage = "print how much memory, how many steps and how much time the run needs, and do not begin it"
)

// declareStart declares the flags that only train has.
func declareStart(o *options) *pflag.FlagSet {
	f := o.ownGroup("Before the run")
	f.BoolVar(&o.dryRun, dryRunFlag, false, dryRunUsage)
	f.String(distributedFlag, "auto", "whether the processes of a launcher do one run together: auto (processes that torchrun, srun, mpirun or a PyTorchJob has started do; see docs/scale.md), off (each process does a run of its own)")
	return f
}

const trainIntro = `Trains a federation and writes a run directory with metrics, models, plots and a report.
The last line on standard output is the summary as one JSON object.

Usage: feddag train [flags]`

func train(ctx context.Context, args []string, out, log io.Writer) error {
	declare := func(o *options) { o.flags.AddFlagSet(declareStart(o)) }
	mode, err := distributedMode(args)
	if err != nil {
		return err
	}
	if mode == "auto" && !runsNothing(args) {
		place, err := launched(os.Getenv)
		if err != nil {
			return err
		}
		if place != nil {
			return trainTogether(ctx, place, args, declare, out, log)
		}
	}
	o, err := parse(args, declare)
	if errors.Is(err, pflag.ErrHelp) {
		return o.usage(out, "train", trainIntro, helpTopic(args))
	}
	if err != nil {
		return err
	}
	if o.dryRun {
		return o.plan(ctx, out, log)
	}
	return o.trainAndExplain(ctx, out, log)
}

// runsNothing reports whether the flags ask for a text instead of a run.
func runsNothing(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"--help", "-h", "--dry-run", "--dry-run=true"}, a) || strings.HasPrefix(a, "--help=")
	})
}

// trainAndExplain calls train. If the run does not finish, it prints how to continue it.
func (o *options) trainAndExplain(ctx context.Context, out, log io.Writer) error {
	err := o.train(ctx, out, log)
	if err != nil && ctx.Err() != nil && o.out != "" && o.team.leads() {
		fmt.Fprintf(log, "interrupted; continue with: feddag train --resume %s\n", o.out)
	}
	var d *federation.Diverged
	if errors.As(err, &d) && o.run.OnDivergence == federation.StopOnDivergence && d.Round > 0 && o.out != "" && o.team.leads() {
		fmt.Fprintf(log, "the earlier rounds are in %s; to continue from its last checkpoint without such clients: feddag train --resume %s --on-divergence drop\n", o.out, o.out)
	}
	return err
}

// train runs the federation that the flags describe.
func (o *options) train(ctx context.Context, out, log io.Writer) (err error) {
	s, err := open(ctx, o, o.algorithm, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if !o.team.leads() {
		defer o.alg.Close()
		_, err := federation.Run(ctx, s.env, o.alg, federation.RunOptions{
			Algorithm: o.algorithm, Config: s.hash, Resume: s.checkpoint, Elsewhere: true,
		})
		return err
	}
	r, err := newRecorder(s)
	if err != nil {
		return err
	}
	defer r.events.Close()
	first := 0
	if s.checkpoint != nil {
		first = s.checkpoint.Rounds
	}
	p := newProgress(log, o, first)
	s.env.Observers = []federation.Observer{r, p}
	if !o.quiet {
		fmt.Fprintf(log, "%s: %d clients, %s on %s; results in %s\n", s.title(), len(s.env.Clients), o.model, o.device, o.out)
	}
	defer o.alg.Close()
	mlflow, err := newTracker(s, p.Warn)
	if err != nil {
		return err
	}
	if mlflow != nil {
		s.env.Observers = append(s.env.Observers, mlflow)
	}
	defer func() { mlflow.end(err) }()
	if o.run.CheckpointEvery > 1 {
		stop := context.AfterFunc(ctx, func() {
			fmt.Fprintln(log, "interrupted: the rounds since the last checkpoint get one when this round is done; a second interrupt ends the program without it")
		})
		defer stop()
	}
	result, err := federation.Run(ctx, s.env, o.alg, federation.RunOptions{
		Algorithm: o.algorithm, Config: s.hash, Checkpoint: s.dir.Path(report.CheckpointFile), Resume: s.checkpoint,
	})
	p.close()
	if err != nil {
		return err
	}
	return s.finish(r, result, out, log)
}
