package cli

import (
	"maps"
	"slices"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/internal/spelling"
	"feddag/models"

	"github.com/spf13/pflag"
)

// page is the help of a command in parts, from which the manual page and the completions of shells are made.
type page struct {
	intro  string
	groups []group  // groups of flags
	words  []string // possible arguments of the command; nil if it takes none or files
}

// pages are the pages of the commands that have flags or arguments, by name. The file of each command adds its page.
var pages = map[string]func() page{
	"train":     func() page { return page{intro: trainIntro, groups: allGroups()} },
	"cluster":   func() page { return page{intro: clusterIntro, groups: clusterGroups()} },
	"compare":   func() page { return page{intro: compareIntro, groups: oneGroup(newCompareOptions().flags)} },
	"partition": func() page { return page{intro: partitionIntro, groups: oneGroup(newPartitionOptions().flags)} },
	"bench":     func() page { return page{intro: benchIntro, groups: oneGroup(new(benchWork).flags())} },
	"doctor":    func() page { return page{intro: doctorIntro, groups: oneGroup(newDoctorOptions().flags)} },
	"data": func() page {
		return page{intro: dataIntro, groups: oneGroup(newDataFlags().all), words: slices.Sorted(maps.Keys(dataVerbs))}
	},
	"evaluate": func() page { return page{intro: evaluateIntro, groups: oneGroup(newEvaluateFlags().all)} },
	"predict":  func() page { return page{intro: predictIntro, groups: oneGroup(newPredictFlags().all)} },
	"serve":    func() page { return page{intro: serveIntro, groups: oneGroup(newServeFlags(new(string)))} },
	"help":     func() page { return page{words: commandNames()} },
}

func oneGroup(fs *pflag.FlagSet) []group { return []group{{title: "Flags", flags: fs}} }

// allGroups returns the flags of train, including the flags of every algorithm.
func allGroups() []group {
	o, err := newOptions(defaultAlgorithm)
	if err != nil {
		panic(err) // the default algorithm is registered
	}
	declareStart(o)
	known := map[string]bool{}
	for _, g := range o.groups {
		g.flags.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	for _, name := range federation.Names() {
		x, err := newOptions(name)
		if err != nil {
			continue
		}
		own := newFlagSet()
		x.groupFlags("Of " + name).VisitAll(func(f *pflag.Flag) {
			if !known[f.Name] {
				known[f.Name] = true
				own.AddFlag(f)
			}
		})
		if own.HasFlags() {
			o.groups = append(o.groups, group{title: "Of " + name, flags: own})
		}
	}
	return o.groups
}

// clusterGroups returns the flags of cluster with the default algorithm.
func clusterGroups() []group {
	o, err := newOptions(defaultAlgorithm)
	if err != nil {
		panic(err) // the default algorithm is registered
	}
	new(clusterOptions).flags(o)
	hideUnread(o.flags, o.unread())
	return o.groups
}

// pageOf returns the page of a command. The page of a command without flags only has its summary.
func pageOf(name string) page {
	if make := pages[name]; make != nil {
		return make()
	}
	return page{}
}

// flagValues returns the values that a flag of a command may have, where these can be listed.
func flagValues(name string) []string {
	switch name {
	case "algorithm", "algorithms", "except":
		return federation.Names()
	case "dataset":
		return data.Names()
	case "partition":
		return partition.Kinds()
	case "model":
		return models.Names()
	case "preset":
		return allPresetNames()
	case "engine":
		return []string{"auto", "serial", "batched", "eager"}
	case "device":
		return []string{"auto", "cpu", "cuda"}
	case "precision":
		return []string{"fp32", "tf32", "bf16"}
	case distributedFlag:
		return distributedModes
	case "norm":
		return []string{"batch", "group"}
	case "on-divergence":
		return []string{string(federation.StopOnDivergence), string(federation.DropOnDivergence)}
	}
	return nil
}

// eachFlag calls f with every flag of a page that the help shows.
func (p page) eachFlag(f func(*pflag.Flag)) {
	for _, g := range p.groups {
		g.flags.VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden {
				f(flag)
			}
		})
	}
}

// takesValue reports whether a flag needs a value.
func takesValue(f *pflag.Flag) bool { return f.NoOptDefVal == "" }

// unknownCommand returns the error for a command that does not exist.
func unknownCommand(name string) error {
	return usageError{spelling.Unknown("command", name, commandNames())}
}

// brief returns a help text up to the first semicolon that is not in parentheses.
func brief(text string) string {
	depth := 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ';' && depth == 0:
			return text[:i]
		}
	}
	return text
}
