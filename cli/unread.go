package cli

import (
	"slices"
	"strings"

	"feddag/federation"
	"feddag/federation/partition"
	"feddag/models"

	"github.com/spf13/pflag"
)

// A flag that has no effect is never accepted silently. Which part reads a flag is declared where it is read:
//
//	partitions   the kind's flags, see partition.Unread
//	models       Model.Flags
//	algorithms   the flags that the algorithm declares, except those of federation.Unreader
//	early stopping  federation.EarlyStopping.Unread
//	optimisers   federation.ClientOptimizer.Unread, federation.ServerOptimizer.Unread
//	commands     options.unreadByCommand, by the groups federation.RoundFlags and federation.ClusteringFlags
//
// A flag that nothing reads is an error if the user gave it, and it is left out of config.yaml. Flags that a preset sets or
// that an earlier version recorded do not count as given by the user.

// unread returns the flags that have no effect with the present values of the other flags.
func (o *options) unread() []federation.UnreadFlag {
	var list []federation.UnreadFlag
	if o.unreadByCommand != nil {
		list = o.unreadByCommand()
	}
	list = append(list, o.partitionFlags.unread()...)
	list = append(list, unreadByModel(o.model)...)
	if a, ok := o.alg.(federation.Unreader); ok {
		for _, u := range a.Unread() {
			if !u.Compared || o.compares == nil || !o.compares() {
				list = append(list, u)
			}
		}
	}
	list = append(list, o.run.Stopping.Unread()...)
	list = append(list, o.run.Optimizer.Unread()...)
	list = append(list, o.run.Server.Unread(o.algorithm, o.alg)...)
	return list
}

// refuseUnread returns an error for the first flag without effect that was given.
func refuseUnread(given *pflag.FlagSet, unread []federation.UnreadFlag) error {
	for _, u := range unread {
		if f := given.Lookup(u.Name); f != nil && f.Changed {
			return usageError{u}
		}
	}
	return nil
}

// hideUnread removes the flags that cannot have an effect from the help.
func hideUnread(known *pflag.FlagSet, unread []federation.UnreadFlag) {
	for _, u := range unread {
		if f := known.Lookup(u.Name); f != nil && u.Never {
			f.Hidden = true
		}
	}
}

// fileFlags are the flags that a partition file replaces.
var fileFlags = []string{
	"partition", "clients", "groups", "labels-per-group", "label-fraction", "concentration", "min-samples", "holdout", "train-share",
	"partition-option", "data-seed",
}

// unread returns the flags that have no effect with the kind of partition or the partition file.
func (d *partitionFlags) unread() []federation.UnreadFlag {
	var list []federation.UnreadFlag
	if d.partitionFile != "" {
		for _, name := range fileFlags {
			list = append(list, federation.UnreadFlag{
				Name: name, Where: "with --partition-file", Who: "the file says which client has what; leave one of the two flags out",
			})
		}
		return list
	}
	unread := partition.Unread(d.partition)
	for _, name := range fileFlags { // in this order
		if who, ok := unread[name]; ok {
			list = append(list, federation.UnreadFlag{Name: name, Where: "with --partition " + d.partition.Kind, Who: who})
		}
	}
	return list
}

// unreadByModel returns the flags that a model does not read. If name is empty, it returns the flags that none of the
// possible default models reads.
func unreadByModel(name string) []federation.UnreadFlag {
	candidates, where := []string{name}, "with --model "+name
	if name == "" {
		candidates = models.DefaultNames()
		where = "with the default models " + strings.Join(candidates, ", ")
	}
	var list []federation.UnreadFlag
	for _, flag := range models.Flags() {
		readers := models.Readers(flag)
		if !slices.ContainsFunc(candidates, func(c string) bool { return slices.Contains(readers, c) }) {
			list = append(list, federation.UnreadFlag{Name: flag, Where: where, Who: "it is read by --model " + strings.Join(readers, ", ")})
		}
	}
	return list
}
