package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/report"

	"github.com/spf13/pflag"
)

// pairs returns the flags for config.yaml: all flags except those without effect. A flag without effect stays if it has
// another value than its default, because the configuration of an earlier version or a preset has set it and the hash of the
// run depends on it. It also stays if its absence would stand for another value. If the partition comes from a file, its kind
// and its number of clients are included too.
func (o *options) pairs() []report.Pair {
	unread := map[string]bool{}
	for _, u := range o.unread() {
		unread[u.Name] = true
	}
	if o.partitionFile != "" {
		unread["partition"], unread["clients"] = false, false
	}
	return slices.DeleteFunc(o.allPairs(), func(p report.Pair) bool {
		f := o.flags.Lookup(p.Key)
		set := p.Value != defaultOf(f) && p.Key != "data-seed" // --data-seed is --seed if it is not given
		if earlier, ok := federation.Earlier(f); ok && o.unreadByCommand == nil && p.Value != earlier {
			return false // Without it, a run that is resumed would take the earlier value.
		}
		return unread[p.Key] && !set
	})
}

// allPairs returns the resolved flags except those that only concern a single start of the program.
func (o *options) allPairs() []report.Pair {
	var pairs []report.Pair
	for _, g := range o.groups {
		g.flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "resume" || f.Name == "dry-run" || f.Name == configFlag || f.Name == distributedFlag {
				return
			}
			value := f.Value.String()
			if s, ok := f.Value.(pflag.SliceValue); ok {
				value = joinList(s.GetSlice())
			}
			pairs = append(pairs, report.Pair{Key: f.Name, Value: value, Comment: f.Usage})
		})
	}
	return pairs
}

// free are the flags that may differ between a checkpoint and the run that resumes from it.
var free = append([]string{"out", "label", "preset", "partition-file", "scenario", "eval-every"}, onResume...)

// hash identifies everything that the weights after a round depend on: the flags that matter, the partition and the scenario.
// A flag is left out if it has the value that corresponds to versions without the flag, which is mostly its default. A flag
// that a later version adds therefore does not prevent a run from being resumed.
//
// The hash includes the content of the data set, which the partition identifies, and the scaling of its pixels, but not its
// path or name. Partitions of earlier versions have no hash of the content. For such a run, the hash is computed as in the
// earlier version: with the flags that name the data set and with its name in the partition.
func (o *options) hash(p *partition.Partition, set *data.Set, scenario []byte) (string, error) {
	h, skip := sha256.New(), free
	if data.IsContentHash(p.DataHash) {
		nameless := *p
		nameless.DataSet = ""
		p, skip = &nameless, slices.Concat(free, dataPlace)
		fmt.Fprintf(h, "scaled with %v, %v\n", set.Mean, set.Std)
	}
	for _, pair := range o.allPairs() {
		usual := pair.Value == earlierOf(o.flags.Lookup(pair.Key)) || pair.Key == "engine" && pair.Value == "serial" // the default of earlier versions
		if pair.Key == "initial-weights" {
			pair.Value = o.initialHash // the content of the file, not its path
		}
		if !slices.Contains(skip, pair.Key) && !usual {
			fmt.Fprintf(h, "%s=%s\n", pair.Key, pair.Value)
		}
	}
	if err := p.WriteJSON(h); err != nil {
		return "", err
	}
	h.Write(scenario)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// earlierOf returns the value that a flag has in runs of versions without the flag.
func earlierOf(f *pflag.Flag) string {
	if f != nil {
		if value, ok := federation.Earlier(f); ok {
			return value
		}
	}
	return defaultOf(f)
}

// defaultOf returns the default of a flag in the form of config.yaml.
func defaultOf(f *pflag.Flag) string {
	if f == nil {
		return ""
	}
	if _, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Trim(f.DefValue, "[]")
	}
	return f.DefValue
}
