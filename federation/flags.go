package federation

import "github.com/spf13/pflag"

// Flagger is implemented by an algorithm that has options. It declares flags that are bound to its exported fields. The
// names start with the name of the algorithm.
type Flagger interface {
	Flags(fs *pflag.FlagSet)
}

// Validator is implemented by an algorithm that can tell which options make no sense. [Run] asks it before any work. The
// error names the flag.
type Validator interface {
	Validate() error
}

// ClusteringFlags is the group of the flags that matter where clients' sketches are clustered that exist already, without
// any training before or after (see [FlagGroup]).
const ClusteringFlags = "clustering"

// RoundFlags is the group of the flags that matter in the rounds and after them, and not before (see [FlagGroup]).
const RoundFlags = "rounds"

// TrainingFlags is the group of the flags that matter only where something is trained (see [FlagGroup]).
const TrainingFlags = "training"

// groupAnnotation is the pflag annotation in which a flag's group stands.
const groupAnnotation = "feddag-group"

// FlagGroup declares flags and puts them into a named group, so that a command which runs one step of a method knows the
// flags that have an effect there.
func FlagGroup(fs *pflag.FlagSet, group string, declare func(fs *pflag.FlagSet)) {
	members := pflag.NewFlagSet(group, pflag.ContinueOnError)
	members.SortFlags = false
	declare(members)
	members.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[groupAnnotation] = append(f.Annotations[groupAnnotation], group)
		fs.AddFlag(f)
	})
}

// earlierAnnotation is the pflag annotation in which a flag's value before the flag existed stands.
const earlierAnnotation = "feddag-earlier"

// SetEarlier records which value of a flag stands for what programs did that had no such flag yet, where that is not its default.
// Runs of such programs are resumed and compared with it. The flag must be one that has an effect whatever the others are.
func SetEarlier(fs *pflag.FlagSet, name, value string) {
	f := fs.Lookup(name)
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[earlierAnnotation] = []string{value}
}

// Earlier returns the value that [SetEarlier] recorded for a flag, and whether there is one.
func Earlier(f *pflag.Flag) (value string, ok bool) {
	if v := f.Annotations[earlierAnnotation]; len(v) == 1 {
		return v[0], true
	}
	return "", false
}

// InFlagGroup reports whether a flag belongs to a group.
func InFlagGroup(f *pflag.Flag, group string) bool {
	for _, g := range f.Annotations[groupAnnotation] {
		if g == group {
			return true
		}
	}
	return false
}
