package partition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"feddag/federation/data"
	"feddag/internal/spelling"
)

// optionBase is the option of a layered kind that names the kind below it. If this kind is layered too, the option names
// both: "feature-skew/lda".
const optionBase = "base"

const defaultBase = "lda"

// base returns the kind below the layered kind k, and the options of that kind.
func (k kind) base(o Options) (kind, Options, error) {
	chain := o.Extra[optionBase]
	if chain == "" {
		chain = defaultBase
	}
	name, rest, deeper := strings.Cut(chain, "/")
	base, ok := kinds[name]
	switch {
	case !ok:
		return k, o, spelling.Unknown(optionBase+" of partition "+k.name, name, Kinds())
	case slices.Contains(strings.Split(chain, "/"), k.name):
		return k, o, fmt.Errorf("--partition-option %s=%.60s: %s cannot be its own base", optionBase, chain, k.name)
	case deeper && !base.layered:
		return k, o, fmt.Errorf("--partition-option %s=%.60s: partition %s has no base", optionBase, chain, name)
	}
	o.Extra = maps.Clone(o.Extra)
	delete(o.Extra, optionBase)
	if deeper {
		setExtra(&o, optionBase, rest)
	}
	return base, o, nil
}

// known returns the names of the options that k and the kinds below it know.
func (k kind) known(o Options) ([]string, error) {
	own := slices.Sorted(maps.Keys(k.options))
	if !k.layered {
		return own, nil
	}
	base, below, err := k.base(o)
	if err != nil {
		return nil, err
	}
	names, err := base.known(below)
	return slices.Concat([]string{optionBase}, own, names), err
}

// countClients returns the number of clients in the set according to k or the kind below it.
func (k kind) countClients(s *data.Set, o Options) (int, error) {
	for k.layered {
		var err error
		if k, o, err = k.base(o); err != nil {
			return 0, err
		}
	}
	if k.clients == nil {
		return 0, nil // checkClients rejects it
	}
	return k.clients(s, o)
}

// resolveBase resolves the options of the kind below k and records the name of that kind.
func (k kind) resolveBase(s *data.Set, o Options) (Options, error) {
	base, below, err := k.base(o)
	if err != nil {
		return o, err
	}
	known, err := base.known(below)
	if err != nil {
		return o, err
	}
	maps.DeleteFunc(below.Extra, func(name, _ string) bool { return !slices.Contains(known, name) })
	resolved, err := base.resolve(s, below)
	if err != nil {
		return o, err
	}
	resolved.Extra = maps.Clone(resolved.Extra)
	chain := base.name
	if base.layered {
		chain += "/" + resolved.Extra[optionBase]
	}
	setExtra(&resolved, optionBase, chain)
	return resolved, nil
}

// assignBase assigns the images like the kind below.
func assignBase(p *Partition, s *data.Set) error {
	params := p.Params
	defer func() { p.Params = params }()
	base, below, err := kinds[p.Params.Kind].base(params)
	if err != nil {
		return err
	}
	p.Params = below
	p.Params.Kind = base.name
	return base.assign(p, s)
}

// equalParts assigns n clients at random to parts whose sizes differ by at most one. No part is empty if there are at least
// as many clients as parts.
func equalParts(r interface{ Perm(int) []int }, n, parts int) []int {
	part := make([]int, n)
	for k, i := range r.Perm(n) {
		part[i] = k * parts / n
	}
	return part
}

// setExtra records the value of an option of a single kind.
func setExtra(o *Options, name, value string) {
	if o.Extra == nil {
		o.Extra = map[string]string{}
	}
	o.Extra[name] = value
}

// extraInt returns the value of an option of a single kind, a whole number from lo to hi, or the default if the option is
// absent.
func extraInt(o Options, name string, lo, hi, byDefault int) (int, error) {
	text, ok := o.Extra[name]
	if !ok {
		return byDefault, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lo || v > hi {
		return 0, fmt.Errorf("--partition-option %s=%.40s: must be a whole number from %d to %d", name, text, lo, hi)
	}
	return v, nil
}

// extraOf returns the resolved value of an option that is read with extraInt.
func (p *Partition) extraOf(name string) int {
	v, err := strconv.Atoi(p.Params.Extra[name])
	if err != nil { // cannot happen, because resolve wrote the value
		return 0
	}
	return v
}
