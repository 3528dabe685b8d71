// Groups finds the groups of many simulated federations, with the partitions and corruptions of the program, and makes the
// table of docs/clustering.md from them:
//
//	go run ./benchmarks/groups --data-dir cifar10-jpeg=DIR,mnist=DIR --seeds 101-110 --out benchmarks/results/groups/groups.tsv
//	go run ./benchmarks/groups --out benchmarks/results/groups/groups.tsv --table
//
// Each cell of the output is one federation. A cell that is in the output file is not computed again. No model is trained, and
// nothing needs libtorch: a cell gives the clusters of
//
//	feddag cluster --feddag-clustering test --dataset SET --seed SEED --partition ... --train-share SHARE --clients CLIENTS
//
// without the warm-up. Without --kinds, --styles and --clients it computes all of the table.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"feddag/federation/data"
	"feddag/internal/parallel"

	"github.com/spf13/pflag"
)

type options struct {
	sets, kinds, styles, shares, clients, seeds []string
	dataDirs                                    map[string]string
	cache, out                                  string
	workers                                     int
	table, print, bound, measure                bool
}

func main() {
	var o options
	f := pflag.CommandLine
	f.StringSliceVar(&o.sets, "sets", []string{"fashion-mnist", "cifar10-jpeg", "mnist"}, "data sets")
	f.StringSliceVar(&o.kinds, "kinds", nil, "kinds of federations (default all): "+strings.Join(kindNames(), ", "))
	f.StringSliceVar(&o.styles, "styles", nil, "standard deviations of the clients' styles, 0 for none")
	f.StringSliceVar(&o.shares, "shares", []string{"1", "0.2", "0.05"}, "shares of its samples that a client keeps")
	f.StringSliceVar(&o.clients, "clients", nil, "numbers of clients")
	f.StringSliceVar(&o.seeds, "seeds", []string{"1-5"}, "seeds, for instance 1-5: 1-5 choose, 101-110 report")
	f.StringToStringVar(&o.dataDirs, "data-dir", nil, "SET=FOLDER,..., where to look for the sets, before the usual places")
	f.StringVar(&o.cache, "cache", "data/features", "folder that keeps the features of the images")
	f.StringVar(&o.out, "out", "groups.tsv", "file of the results, a line per cell")
	f.IntVar(&o.workers, "workers", 2, "cells that are computed at the same time")
	f.BoolVar(&o.table, "table", false, "print the tables of the results that are in --out, and compute nothing")
	f.BoolVar(&o.bound, "bound", false, "assign the clients to the true groups by their known distributions instead of finding groups")
	f.BoolVar(&o.measure, "measure", false, "measure the time and the memory of sketches and search instead")
	f.BoolVar(&o.print, "print", false, "print the clusters of each cell on standard output")
	pflag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "groups:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	if o.table {
		all, _, err := readResults(o.out)
		if err == nil {
			printTables(os.Stdout, all)
		}
		return err
	}
	if o.measure {
		return o.measureAll(ctx)
	}
	plan, err := o.plan()
	if err != nil {
		return err
	}
	out, err := openOutput(o.out)
	if err != nil {
		return err
	}
	stores := map[string]*store{}
	for _, c := range plan {
		if stores[c.set] == nil {
			if stores[c.set], err = newStore(ctx, c.set, o.cache, data.SearchDirs(o.dataDirs[c.set])); err != nil {
				return err
			}
		}
	}
	var left []cell
	for _, c := range plan {
		if _, ok := out.done[c]; !ok {
			left = append(left, c)
		}
	}
	began, errs := time.Now(), make([]error, len(left))
	var done, failed atomic.Int64
	parallel.ForWorkers(len(left), o.workers, func(k int) {
		if ctx.Err() != nil {
			return
		}
		r, clusters, err := left[k].run(stores[left[k].set], o.bound)
		if err == nil {
			if o.print {
				fmt.Printf("%v\t%v\n", left[k], clusters)
			}
			err = out.add(r)
		}
		if err != nil {
			errs[k] = err
			failed.Add(1)
			fmt.Fprintln(os.Stderr, "groups:", strings.ReplaceAll(err.Error(), "\t", " "))
			return
		}
		fmt.Fprintf(os.Stderr, "%d/%d %.0fs  %s\n", done.Add(1), len(left), time.Since(began).Seconds(), strings.ReplaceAll(r.String(), "\t", "  "))
	})
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d cells failed", n, len(left))
	}
	return ctx.Err()
}

// plan returns the cells that the flags specify. Cells with all of the data come first, and within a share they are ordered
// by seed.
func (o *options) plan() ([]cell, error) {
	var seeds []uint64
	for _, text := range o.seeds {
		a, b, found := strings.Cut(text, "-")
		if !found {
			b = a
		}
		low, err := strconv.ParseUint(a, 10, 32)
		high, err2 := strconv.ParseUint(b, 10, 32)
		if err != nil || err2 != nil || high < low {
			return nil, fmt.Errorf("--seeds %s: use a number or a range such as 1-5", text)
		}
		for s := low; s <= high; s++ {
			seeds = append(seeds, s)
		}
	}
	shares, err := numbers("shares", o.shares)
	if err != nil {
		return nil, err
	}
	styles, err := numbers("styles", o.styles)
	if err != nil {
		return nil, err
	}
	clients, err := numbers("clients", o.clients)
	if err != nil {
		return nil, err
	}
	for _, k := range o.kinds {
		if _, err := kindOf(k); err != nil {
			return nil, err
		}
	}
	var plan []cell
	add := func(kinds []string, styles []float64, clients []float64, share float64) {
		for _, seed := range seeds { // so that a table of partial results has all of its rows early
			for _, kind := range kinds {
				for _, n := range clients {
					for _, style := range styles {
						for _, set := range o.sets {
							plan = append(plan, cell{set, kind, style, share, int(n), seed})
						}
					}
				}
			}
		}
	}
	or := func(given, otherwise []float64) []float64 {
		if len(given) > 0 {
			return given
		}
		return otherwise
	}
	if len(o.kinds)+len(styles)+len(clients) > 0 {
		kinds := o.kinds
		if len(kinds) == 0 {
			kinds = kindNames()
		}
		for _, share := range shares {
			add(kinds, or(styles, []float64{0}), or(clients, []float64{100}), share)
		}
		return plan, nil
	}
	for k, share := range shares {
		add(kindNames(), []float64{0}, []float64{100}, share)
		add([]string{"IID", "III", "II", "IV5", "I3"}, []float64{0.03, 0.1, 0.3}, []float64{100}, share)
		if k == 0 {
			add([]string{"I3", "II", "IV5"}, []float64{0}, []float64{10, 20, 1000, 10000}, share)
		}
	}
	return plan, nil
}

func numbers(flag string, texts []string) ([]float64, error) {
	var all []float64
	for _, t := range texts {
		v, err := strconv.ParseFloat(t, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("--%s %s: use a number of 0 or more", flag, t)
		}
		all = append(all, v)
	}
	return all, nil
}

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}
