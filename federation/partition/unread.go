package partition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// These flags are read by some kinds only. Every kind reads --clients, --holdout, --train-share and the seed.
const (
	flagGroups         = "groups"
	flagLabelsPerGroup = "labels-per-group"
	flagLabelFraction  = "label-fraction"
	flagConcentration  = "concentration"
	flagMinSamples     = "min-samples"
	flagOption         = "partition-option"
)

// kindFlags lists the flags above. A kind need not declare flagOption, which it reads if it has its own options.
var kindFlags = []string{flagGroups, flagLabelsPerGroup, flagLabelFraction, flagConcentration, flagMinSamples, flagOption}

// Readers returns the kinds that read a flag directly, sorted. Kinds that are built on other kinds also read the flags of
// those.
func Readers(flag string) []string {
	return slices.DeleteFunc(Kinds(), func(name string) bool {
		k := kinds[name]
		return !slices.Contains(k.flags, flag) && (flag != flagOption || len(k.options) == 0 && !k.layered)
	})
}

// Unread returns the flags that have no effect for o.Kind with its options, each with a clause that says which kinds read the
// flag or what replaces it. It is nil if o names a kind or base that does not exist, which New reports.
func Unread(o Options) map[string]string {
	k, ok := kinds[o.Kind]
	if !ok {
		return nil
	}
	var read []string
	replaced := map[string]string{}
	for {
		read = append(read, k.flags...)
		if len(k.options) > 0 || k.layered {
			read = append(read, flagOption)
		}
		if k.replaced != nil {
			maps.Copy(replaced, k.replaced(o))
		}
		if !k.layered {
			break
		}
		var err error
		if k, o, err = k.base(o); err != nil {
			return nil
		}
	}
	unread := replaced
	for _, flag := range kindFlags {
		if !slices.Contains(read, flag) {
			unread[flag] = "it is read by --partition " + strings.Join(Readers(flag), ", ")
			if flag != flagOption {
				unread[flag] += " and by partitions whose base is one of these"
			}
		}
	}
	return unread
}

// Help returns one line about a kind, with the flags that it reads; "" for an unknown kind.
func Help(kind string) string {
	k, ok := kinds[kind]
	if !ok {
		return ""
	}
	flags := []string{"--clients"}
	for _, flag := range k.flags {
		flags = append(flags, "--"+flag)
	}
	if k.layered {
		flags = append(flags, "flags of the base")
	}
	return fmt.Sprintf("%s (%s)", k.help, strings.Join(flags, ", "))
}

// CountsClients reports whether a kind with its options takes the number of clients from the data set if Options.Clients is
// 0.
func CountsClients(o Options) bool {
	k, ok := kinds[o.Kind]
	for ok && k.layered {
		var err error
		if k, o, err = k.base(o); err != nil {
			return false
		}
	}
	return ok && k.clients != nil
}

// CountsClients reports whether the partition is of a kind that may take the number of its clients from the data set.
func (p *Partition) CountsClients() bool {
	o := p.Params
	o.Kind = p.Kind
	return CountsClients(o)
}
