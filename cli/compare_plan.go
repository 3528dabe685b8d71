package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/federation"
	"feddag/report"

	"github.com/spf13/pflag"
)

// variant is an algorithm with the flags of its runs.
type variant struct {
	name, algorithm string
	args            []string // but those of a single run
}

// cell is a run of a comparison: a variant with a seed.
type cell struct {
	variant *variant
	seed    uint64
	dir     string
	options *options
	stage   stage
	failed  string // why; empty if it did not
}

// stage is how far a run is.
type stage int

const (
	fresh stage = iota
	begun       // interrupted, or of fewer rounds
	done
)

// plan is a comparison to run.
type plan struct {
	o        *compareOptions
	out      *report.Dir
	rounds   int
	variants []*variant
	cells    []*cell // seed by seed
}

// plan works out the runs, and refuses what is wrong with any of them before the first.
func (o *compareOptions) plan(shared []given) (*plan, error) {
	p := &plan{o: o}
	if err := o.variants(p, shared); err != nil {
		return nil, err
	}
	if len(o.seeds) == 0 {
		o.seeds = []string{"1", "2", "3"}
	}
	var first *options
	for _, v := range p.variants {
		x, err := parse(v.args)
		if err != nil {
			return nil, inVariant(v, err)
		}
		if first == nil {
			first = x
		}
	}
	p.rounds, o.quiet = first.run.Rounds, first.quiet
	if p.rounds < 1 {
		return nil, usagef("--rounds is %d: a comparison needs 1 or more", p.rounds)
	}
	if o.beside != "" {
		if _, err := os.Stat(o.beside); err != nil {
			return nil, usagef("--beside: %w", err)
		}
	}
	if o.out == "" {
		o.out = defaultOut(first.source.fileName())
	}
	if report.IsRun(o.out) {
		return nil, usagef("--out %s holds a single run: choose a directory for the comparison", o.out)
	}
	var err error
	if p.out, err = report.Make(o.out); err != nil {
		return nil, err
	}
	for _, s := range o.seeds {
		for _, v := range p.variants {
			c, err := o.newCell(v, s)
			if err != nil {
				return nil, inVariant(v, err)
			}
			p.cells = append(p.cells, c)
		}
	}
	return p, p.checkReference()
}

func inVariant(v *variant, err error) error { return fmt.Errorf("%s: %w", v.name, err) }

// variants are the algorithms named, and those of --with.
func (o *compareOptions) variants(p *plan, shared []given) error {
	algorithms := o.algorithms
	if slices.Contains(algorithms, "all") {
		if len(algorithms) > 1 {
			return usagef("--algorithms: all comes alone")
		}
		algorithms = federation.Names()
	}
	for _, name := range o.except {
		if err := federation.OneOf("--except: algorithm", name, federation.Names()); err != nil {
			return usageError{err}
		}
	}
	if len(algorithms)+len(o.with) == 0 {
		return usagef("nothing to compare: name --algorithms (separated by commas, or all), or --read run directories")
	}
	for _, name := range algorithms {
		if err := federation.OneOf("algorithm", name, federation.Names()); err != nil {
			return usageError{err}
		}
		if !slices.Contains(o.except, name) {
			p.variants = append(p.variants, &variant{name: name, algorithm: name})
		}
	}
	own := map[*variant][]string{}
	for _, text := range o.with {
		v, args, err := parseWith(text)
		if err != nil {
			return err
		}
		own[v] = args
		p.variants = append(p.variants, v)
	}
	if len(p.variants) == 0 {
		return usagef("--except leaves no algorithm")
	}
	taken := map[string]*variant{}
	for _, v := range p.variants {
		if other := taken[slug(v.name)]; other != nil {
			return usagef("two variants are called %q and %q: give one another name, --with 'ALGORITHM as NAME: FLAGS'", other.name, v.name)
		}
		taken[slug(v.name)] = v
	}
	return share(p.variants, shared, own)
}

// share gives every variant the flags of all that its algorithm has, then its own.
func share(variants []*variant, shared []given, own map[*variant][]string) error {
	has := map[*variant]*pflag.FlagSet{}
	for _, v := range variants {
		x, err := newOptions(v.algorithm)
		if err != nil {
			return err
		}
		has[v] = x.flags
		v.args = []string{"--algorithm", v.algorithm}
	}
	for _, g := range shared {
		used := false
		for _, v := range variants {
			if has[v].Lookup(g.name) != nil {
				v.args = append(v.args, "--"+g.name+"="+g.value)
				used = true
			}
		}
		if !used {
			return usagef("--%s is a flag of none of the algorithms compared", g.name)
		}
	}
	for v, args := range own {
		v.args = append(v.args, args...)
	}
	return nil
}

// parseWith reads 'ALGORITHM: FLAGS' and 'ALGORITHM as NAME: FLAGS'.
func parseWith(text string) (*variant, []string, error) {
	wrong := func(format string, a ...any) (*variant, []string, error) {
		return nil, nil, usagef("--with %q: %s", text, fmt.Sprintf(format, a...))
	}
	head, tail, ok := strings.Cut(text, ":")
	if !ok {
		return wrong("use 'ALGORITHM: FLAGS' or 'ALGORITHM as NAME: FLAGS'")
	}
	algorithm, name, named := strings.Cut(head, " as ")
	v := &variant{algorithm: strings.TrimSpace(algorithm), name: strings.Join(strings.Fields(name), " ")}
	if err := federation.OneOf("algorithm", v.algorithm, federation.Names()); err != nil {
		return wrong("%v", err)
	}
	args := strings.Fields(tail)
	if len(args) == 0 {
		return wrong("no flags after the colon; without any it is --algorithms %s", v.algorithm)
	}
	x, err := newOptions(v.algorithm)
	if err != nil {
		return nil, nil, err
	}
	var sets []string
	err = x.flags.ParseAll(args, func(f *pflag.Flag, value string) error {
		if instead[f.Name] != "" || f.Name == "out" || f.Name == "rounds" || x.groupOf(f.Name) == dataGroup {
			return fmt.Errorf("--%s is the same for all runs of a comparison", f.Name)
		}
		sets = append(sets, shortFlag(v.algorithm, f.Name)+"="+value)
		return nil
	})
	if err != nil {
		return wrong("%v", x.explain(err))
	}
	if x.flags.NArg() > 0 {
		return wrong("unexpected %q; flags start with --", x.flags.Arg(0))
	}
	if !named {
		v.name = v.algorithm + " " + strings.Join(sets, " ")
	}
	if slug(v.name) == "" || strings.ContainsFunc(v.name, func(r rune) bool { return r < ' ' }) || len(v.name) > 100 {
		return wrong("a name of letters and digits, at most 100 bytes, please")
	}
	return v, args, nil
}

// shortFlag drops what a flag's name has of its algorithm's: feddag-star's --feddag-sources is sources.
func shortFlag(algorithm, flag string) string {
	n := 0
	for i := 0; i < len(flag) && i <= len(algorithm) && flag[i] == (algorithm + "-")[i]; i++ {
		if flag[i] == '-' {
			n = i + 1
		}
	}
	return flag[n:]
}

// slug makes a directory's name of a variant's.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-.")
}

// checkReference finds a reference that is not there before the runs, not after them.
func (p *plan) checkReference() error {
	var names []string
	for _, v := range p.variants {
		names = append(names, v.name)
	}
	if p.o.reference == "" {
		return nil
	}
	if err := federation.OneOf("--reference", p.o.reference, names); err != nil {
		return usageError{err}
	}
	return nil
}

// newCell finds out how far a run is, and that it is the one asked for.
func (o *compareOptions) newCell(v *variant, seed string) (*cell, error) {
	c := &cell{variant: v, dir: filepath.Join(o.out, slug(v.name)+"-"+seed)}
	args := append(slices.Clone(v.args), "--seed", seed, "--out", c.dir)
	if v.name != v.algorithm {
		args = append(args, "--label", v.name)
	}
	var err error
	if c.options, err = parse(args); err != nil {
		return nil, err
	}
	c.seed = c.options.run.Seed
	if !report.IsRun(c.dir) {
		return c, nil
	}
	c.stage = begun
	dir, err := report.Look(c.dir)
	if err != nil {
		return nil, err
	}
	saved, err := dir.ReadYAML(report.ConfigFile)
	if err != nil {
		return nil, err
	}
	if err := c.agrees(saved); err != nil {
		return nil, err
	}
	if err := c.sameScenario(dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir.Path(report.SummaryFile)); err != nil {
		return c, nil
	}
	summary, err := dir.ReadSummary()
	if err != nil {
		return nil, err
	}
	if summary.Rounds >= c.options.run.Rounds {
		c.stage = done
	}
	return c, nil
}

// agrees returns an error if the run that is there has another value of a flag than the one asked for.
func (c *cell) agrees(saved map[string]string) error {
	loose := slices.Concat(free, []string{"preset"})
	o := c.options
	if o.partitionFile != "" { // says it all
		o.groupFlags(dataGroup).VisitAll(func(f *pflag.Flag) { loose = append(loose, f.Name) })
	}
	if o.model == "" {
		loose = append(loose, "model")
	}
	if o.device == "auto" {
		loose = append(loose, "device")
	}
	for _, p := range o.pairs() {
		was, ok := saved[p.Key]
		if !ok {
			was = defaultOf(o.flags.Lookup(p.Key))
		}
		if !slices.Contains(loose, p.Key) && !sameNumber(was, p.Value) {
			return usagef("%s holds a run with --%s %s, and this comparison asks for %s: choose another --out, or move it away", c.dir, p.Key, was, p.Value)
		}
	}
	return nil
}

// sameScenario returns an error if the run that is there has another scenario than the one asked for.
func (c *cell) sameScenario(dir *report.Dir) error {
	was, err := savedScenario(dir)
	if err != nil {
		return err
	}
	var asked []byte
	if c.options.scenario != "" {
		if asked, err = os.ReadFile(c.options.scenario); err != nil {
			return usagef("--scenario: %w", err)
		}
	}
	if !bytes.Equal(was, asked) {
		return usagef("%s holds a run with another scenario than --scenario %q: choose another --out, or move it away", c.dir, c.options.scenario)
	}
	return nil
}

// sameNumber compares two values of a flag, as numbers where both are.
func sameNumber(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return a == b || errX == nil && errY == nil && x == y
}

// groupOf is the heading a flag stands under.
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

// args are the arguments of the run's own process.
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
	return args
}

// clear removes what a run killed in its first moments leaves: not yet a run, no longer empty.
func (c *cell) clear() error {
	stale, err := filepath.Glob(filepath.Join(c.dir, ".*.tmp"))
	if err != nil {
		return err
	}
	for _, path := range append(stale, filepath.Join(c.dir, partitionFile), filepath.Join(c.dir, report.EnvFile)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
