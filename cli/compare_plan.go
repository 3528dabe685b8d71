package cli

import (
	"fmt"
	"os"
	"slices"

	"feddag/federation"
	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

// variant is an algorithm with the flags of its runs.
type variant struct {
	name, algorithm string
	args            []string // except the flags of a single run
}

// plan is a comparison to run.
type plan struct {
	o        *compareOptions
	out      *report.Dir
	variants []*variant
	cells    []*cell // ordered by seed
}

// plan determines the runs of the comparison, and returns an error if any of them is not possible, before the first one
// starts.
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
		if x.run.Rounds < 1 {
			return nil, inVariant(v, usagef("--rounds is %d: a comparison needs 1 or more", x.run.Rounds))
		}
		if first == nil {
			first = x
		}
	}
	o.quiet = first.quiet
	if o.beside != "" {
		if _, err := os.Stat(o.beside); err != nil {
			return nil, usagef("--beside: %w", err)
		}
	}
	if err := p.checkReference(); err != nil {
		return nil, err
	}
	if o.out != "" && report.IsRun(o.out) {
		return nil, usagef("--out %s holds a single run: choose a directory for the comparison", o.out)
	}
	var err error
	if p.out, err = o.makeOut(first.source.fileName()); err != nil {
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
	return p, nil
}

func inVariant(v *variant, err error) error { return fmt.Errorf("%s: %w", v.name, err) }

// variants adds the variants for the named algorithms and for --with to the plan.
func (o *compareOptions) variants(p *plan, shared []given) error {
	algorithms := o.algorithms
	if slices.Contains(algorithms, "all") {
		if len(algorithms) > 1 {
			return usagef("--algorithms: all cannot be combined with other names")
		}
		algorithms = federation.Names()
	}
	for _, name := range o.except {
		if err := spelling.OneOf("--except: algorithm", name, federation.Names()); err != nil {
			return usageError{err}
		}
	}
	if len(algorithms)+len(o.with) == 0 {
		return usagef("nothing to compare: name --algorithms (separated by commas, or all), or --read run directories")
	}
	for _, name := range algorithms {
		if err := spelling.OneOf("algorithm", name, federation.Names()); err != nil {
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

// share gives every variant those shared flags that its runs read, followed by its own flags. A shared flag that no variant
// reads is an error.
func share(variants []*variant, shared []given, own map[*variant][]string) error {
	has, unread := map[*variant]*pflag.FlagSet{}, map[*variant]map[string]error{}
	for _, v := range variants {
		x, err := newOptions(v.algorithm)
		if err != nil {
			return err
		}
		has[v] = x.flags
		unread[v] = unreadByVariant(v, shared, own[v])
		v.args = []string{"--algorithm", v.algorithm}
	}
	for _, g := range shared {
		used := false
		var refused error
		for _, v := range variants {
			switch {
			case has[v].Lookup(g.name) == nil:
			case unread[v][g.name] != nil:
				refused = unread[v][g.name]
			default:
				v.args = append(v.args, "--"+g.name+"="+g.value)
				used = true
			}
		}
		switch {
		case used:
		case refused != nil:
			return refused
		default:
			return usagef("--%s is not a flag of any of the compared algorithms", g.name)
		}
	}
	for v, args := range own {
		v.args = append(v.args, args...)
	}
	return nil
}

// unreadByVariant returns the errors for the flags that have no effect in a variant's runs, by the names of the flags. It
// returns nil if the variant's flags have another error, which shows when they are parsed for the run.
func unreadByVariant(v *variant, shared []given, own []string) map[string]error {
	x, err := newOptions(v.algorithm)
	if err != nil {
		return nil
	}
	var args []string
	for _, g := range shared {
		if x.flags.Lookup(g.name) != nil {
			args = append(args, "--"+g.name+"="+g.value)
		}
	}
	if parseFlags(x.flags, append(args, own...)) != nil || x.applyPreset() != nil || x.check() != nil {
		return nil
	}
	errs := map[string]error{}
	for _, u := range x.unread() {
		if errs[u.Name] == nil {
			errs[u.Name] = usageError{u}
		}
	}
	return errs
}

// checkReference returns an error if the reference is not among the variants, so that the error shows before the runs and not
// after them.
func (p *plan) checkReference() error {
	var names []string
	for _, v := range p.variants {
		names = append(names, v.name)
	}
	if p.o.reference == "" {
		return nil
	}
	if err := spelling.OneOf("--reference", p.o.reference, names); err != nil {
		return usageError{err}
	}
	return nil
}
