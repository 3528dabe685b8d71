package federation

import "github.com/spf13/pflag"

// Flagger is implemented by an algorithm that has options. It declares flags that are bound to its exported fields. The
// names start with the name of the algorithm.
type Flagger interface {
	Flags(fs *pflag.FlagSet)
}

// Validator is implemented by an algorithm that checks its options. [Run] calls Validate before any work. The error names the
// flag.
type Validator interface {
	Validate() error
}

// ClusteringFlags is the group of the flags that matter if existing sketches of clients are clustered, without any training
// before or after (see [FlagGroup]).
const ClusteringFlags = "clustering"

// RoundFlags is the group of the flags that matter in the rounds and after them, and not before (see [FlagGroup]).
const RoundFlags = "rounds"

// TrainingFlags is the group of the flags that matter only if something is trained (see [FlagGroup]).
const TrainingFlags = "training"

// groupAnnotation is the pflag annotation that holds a flag's group.
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

// earlierAnnotation is the pflag annotation that holds the value set by [SetEarlier].
const earlierAnnotation = "feddag-earlier"

// SetEarlier records the value of a flag that describes how programs behaved before the flag existed, if this is not its default.
// Runs of such programs are resumed and compared with this value. The flag must have an effect whatever the other flags are.
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
