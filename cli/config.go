package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"feddag/report"

	"github.com/spf13/pflag"
)

// pairs are the resolved flags, for config.yaml.
func (o *options) pairs() []report.Pair {
	var pairs []report.Pair
	for _, g := range o.groups {
		g.flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "resume" || f.Name == "dry-run" {
				return
			}
			value := f.Value.String()
			if s, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(s.GetSlice(), " ")
			}
			pairs = append(pairs, report.Pair{Key: f.Name, Value: value, Comment: f.Usage})
		})
	}
	return pairs
}

// free are the flags that a checkpoint need not agree in.
var free = append([]string{"out", "label", "preset", "partition-file", "scenario", "eval-every"}, onResume...)

// hash identifies what the weights after a round depend on: the flags that matter, the partition and the scenario. A flag
// at its default is left out, so that one a later program adds does not keep it from going on.
func (o *options) hash(partition, scenario []byte) string {
	h := sha256.New()
	for _, p := range o.pairs() {
		usual := p.Value == defaultOf(o.flags.Lookup(p.Key)) || p.Key == "engine" && p.Value == "serial" // once the default
		if !slices.Contains(free, p.Key) && !usual {
			fmt.Fprintf(h, "%s=%s\n", p.Key, p.Value)
		}
	}
	h.Write(partition)
	h.Write(scenario)
	return hex.EncodeToString(h.Sum(nil))
}

// defaultOf is a flag's default as config.yaml has it.
func defaultOf(f *pflag.Flag) string {
	if f == nil {
		return ""
	}
	if _, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Trim(f.DefValue, "[]")
	}
	return f.DefValue
}
