package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"feddag/federation"
	"feddag/report"

	"github.com/spf13/pflag"
)

// cell is a run of a comparison: a variant with a seed.
type cell struct {
	variant *variant
	seed    uint64
	dir     string
	options *options
	stage   stage
	moved   bool   // the existing run was begun with the data set in another place, or read with other options
	failed  string // reason of the failure; empty if the run did not fail
	busy    bool   // the run is not finished because another process is running it
}

// stage is the progress of a run.
type stage int

const (
	fresh stage = iota
	begun       // interrupted, or with fewer rounds than asked for
	done
)

// runDir returns the directory of one of a comparison's runs.
func runDir(comparison, name, seed string) string {
	return filepath.Join(comparison, runName(name, seed))
}

// runName returns the name of a run in the directory of a comparison.
func runName(variant, seed string) string { return slug(variant) + "-" + seed }

// newCell returns the run of a variant with a seed, and determines its stage.
func (o *compareOptions) newCell(v *variant, seed string) (*cell, error) {
	c := &cell{variant: v, dir: runDir(o.out, v.name, seed)}
	args := append(slices.Clone(v.args), "--seed", seed, "--out", c.dir)
	if v.name != v.algorithm {
		args = append(args, "--label", v.name)
	}
	var err error
	if c.options, err = parse(args); err != nil {
		return nil, err
	}
	c.seed = c.options.run.Seed
	return c, c.look()
}

// look sets the stage from the files in the run directory. It returns an error if they belong to another run than the one
// asked for.
func (c *cell) look() error {
	c.stage = fresh
	if !report.IsRun(c.dir) {
		return nil
	}
	c.stage = begun
	dir, err := report.Look(c.dir)
	if err != nil {
		return err
	}
	saved, err := dir.ReadConfig()
	if err != nil {
		return err
	}
	if err := c.agrees(saved); err != nil {
		return err
	}
	if err := c.sameScenario(dir); err != nil {
		return err
	}
	if err := c.sameInitialWeights(dir); err != nil {
		return err
	}
	if _, err := os.Stat(dir.Path(report.SummaryFile)); err != nil {
		return nil
	}
	summary, err := dir.ReadSummary()
	if err != nil {
		return err
	}
	if summary.Rounds >= c.options.run.Rounds {
		c.stage = done
	}
	return nil
}

// agrees returns an error if the existing run has another value of a flag than the one asked for.
func (c *cell) agrees(saved map[string]string) error {
	loose := slices.Concat(free, []string{"preset"})
	o := c.options
	if o.partitionFile != "" { // the file determines the partition completely
		o.groupFlags(dataGroup).VisitAll(func(f *pflag.Flag) { loose = append(loose, f.Name) })
	}
	if o.partition.Clients == 0 { // the data set determines the number
		loose = append(loose, "clients")
	}
	if o.model == "" {
		loose = append(loose, "model")
	}
	if o.device == "auto" {
		loose = append(loose, "device")
	}
	if o.engine == "auto" {
		loose = append(loose, "engine")
	}
	c.moved = false
	for _, p := range o.pairs() {
		was, ok := saved[p.Key]
		if !ok {
			was = earlierOf(o.flags.Lookup(p.Key))
		}
		if slices.Contains(dataPlace, p.Key) {
			c.moved = c.moved || was != p.Value
			continue
		}
		if !slices.Contains(loose, p.Key) && !sameNumber(was, p.Value) {
			return usagef("%s holds a run with --%s %s, and this comparison asks for %s: choose another --out, or move it away", c.dir, p.Key, was, p.Value)
		}
	}
	return nil
}

// sameScenario returns an error if the existing run has another scenario than the one asked for.
func (c *cell) sameScenario(dir *report.Dir) error {
	text, err := dir.ReadScenario()
	if err != nil {
		return err
	}
	was, err := canonicalScenario(text)
	if err != nil {
		return fmt.Errorf("%s: %w", dir.Path(report.ScenarioFile), err)
	}
	asked := ""
	if path := c.options.scenario; path != "" {
		if text, err = os.ReadFile(path); err != nil {
			return usagef("--scenario: %w", err)
		}
		if _, err = federation.ParseScenario(text); err == nil {
			asked, err = canonicalScenario(text)
		}
		if err != nil {
			return usagef("scenario %s: %w", path, err)
		}
	}
	if was != asked {
		return usagef("%s holds a run with another scenario than --scenario %q: choose another --out, or move it away", c.dir, c.options.scenario)
	}
	return nil
}

// sameNumber reports whether two values of a flag are equal; it compares them as numbers if both are numbers.
func sameNumber(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// groupOf returns the title of the group that a flag belongs to.
func (o *options) groupOf(flag string) string {
	for _, g := range o.groups {
		if g.flags.Lookup(flag) != nil {
			return g.title
		}
	}
	return ""
}

func (o *options) groupFlags(title string) *pflag.FlagSet {
	for _, g := range o.groups {
		if g.title == title {
			return g.flags
		}
	}
	return newFlagSet()
}

// args returns the arguments of the process that does the run.
func (c *cell) args() []string {
	if c.stage == fresh {
		args := append(slices.Clone(c.variant.args), "--seed", strconv.FormatUint(c.seed, 10), "--out", c.dir)
		if c.variant.name != c.variant.algorithm {
			args = append(args, "--label", c.variant.name)
		}
		return args
	}
	args := []string{"--resume", c.dir}
	values := map[string]string{}
	c.options.flags.Visit(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	values["rounds"] = strconv.Itoa(c.options.run.Rounds)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(onResume, name) {
			args = append(args, "--"+name+"="+values[name])
		}
	}
	if c.moved {
		args = append(args, "--dataset="+c.options.dataset)
		for _, option := range c.options.extra {
			args = append(args, "--dataset-option="+option)
		}
	}
	return args
}
