package data

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// optionBase names, among the extra options of a kind that lies on top of another, that other kind.
const optionBase = "base"

// base returns the kind that k, which lies on top of another, is to lie on: LDA unless the options say otherwise.
func (k partitionKind) base(o PartitionOptions) (partitionKind, error) {
	name := o.Extra[optionBase]
	if name == "" {
		name = "lda"
	}
	var bases []string
	for _, other := range PartitionKinds() {
		if !partitionKinds[other].over {
			bases = append(bases, other)
		}
	}
	if !slices.Contains(bases, name) {
		return k, unknown(optionBase+" of partition "+k.name, name, bases)
	}
	return partitionKinds[name], nil
}

// resolveBase resolves the options of the kind below k and records which one it is.
func (k partitionKind) resolveBase(s *Set, o PartitionOptions) (PartitionOptions, error) {
	base, err := k.base(o)
	if err != nil {
		return o, err
	}
	below := o
	below.Extra = maps.Clone(o.Extra)
	maps.DeleteFunc(below.Extra, func(name, _ string) bool { return !slices.Contains(base.extra, name) })
	resolved, err := base.resolve(s, below)
	if err != nil {
		return o, err
	}
	resolved.Extra = maps.Clone(resolved.Extra)
	setExtra(&resolved, optionBase, base.name)
	return resolved, nil
}

// dealBase deals in the way of the kind below.
func dealBase(p *Partition, s *Set) error {
	return partitionKinds[p.Params.Extra[optionBase]].deal(p, s)
}

// setExtra records an extra option.
func setExtra(o *PartitionOptions, name, value string) {
	if o.Extra == nil {
		o.Extra = map[string]string{}
	}
	o.Extra[name] = value
}

// extraInt returns the whole number that an extra option of a kind gives, within lo and hi, or the default if it is
// not given.
func extraInt(o PartitionOptions, name string, lo, hi, byDefault int) (int, error) {
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

// extraOf returns what an extraInt option resolved to.
func (p *Partition) extraOf(name string) int {
	v, err := strconv.Atoi(p.Params.Extra[name])
	if err != nil { // resolve wrote it
		return 0
	}
	return v
}
