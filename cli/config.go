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

// pairs returns the flags that are in force, for config.yaml: all but those without effect. A flag without effect stays if
// it has another value than its default, because the configuration of an earlier program or a preset has set it and the hash
// of the run depends on it, and so does one whose absence would stand for another value. Where a file holds the partition, its
// kind and its number of clients are in force too.
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
		set := p.Value != defaultOf(f) && p.Key != "data-seed" // which is --seed if it is not given
		if earlier, ok := federation.Earlier(f); ok && o.unreadByCommand == nil && p.Value != earlier {
			return false // Without it, a run that is resumed would take the earlier value.
		}
		return unread[p.Key] && !set
	})
}

// allPairs returns the resolved flags but those of a single start of the program.
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

// free are the flags that a checkpoint need not agree in.
var free = append([]string{"out", "label", "preset", "partition-file", "scenario", "eval-every"}, onResume...)

// hash identifies what the weights after a round depend on: the flags that matter, the partition and the scenario. A flag
// is left out at the value that stands for programs without it, which is mostly its default, so that a flag that a later program
// adds does not keep a run from being resumed.
//
// The data set is in it by its content, which the partition names, and by what its pixels are scaled with, never by the
// place or the name that it was found under. The partition of an earlier program has no hash of the content. For such a
// run the hash is what that program computed: with the flags that name the data set and with its name in the partition.
func (o *options) hash(p *partition.Partition, set *data.Set, scenario []byte) (string, error) {
	h, skip := sha256.New(), free
	if data.IsContentHash(p.DataHash) {
		nameless := *p
		nameless.DataSet = ""
		p, skip = &nameless, slices.Concat(free, dataPlace)
		fmt.Fprintf(h, "scaled with %v, %v\n", set.Mean, set.Std)
	}
	for _, pair := range o.allPairs() {
		usual := pair.Value == earlierOf(o.flags.Lookup(pair.Key)) || pair.Key == "engine" && pair.Value == "serial" // once the default
		if pair.Key == "initial-weights" {
			pair.Value = o.initialHash // the content counts, wherever the file is
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

// earlierOf is the value of a flag in runs of programs that did not have it.
func earlierOf(f *pflag.Flag) string {
	if f != nil {
		if value, ok := federation.Earlier(f); ok {
			return value
		}
	}
	return defaultOf(f)
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
