package federation

import (
	"fmt"
	"slices"
	"strings"
)

// entry is a registered algorithm: its summary, and the function that returns it with its default options.
type entry struct {
	summary string
	make    func() Algorithm
}

// registry holds the registered algorithms by name.
var registry = map[string]entry{}

// Register adds an algorithm to the registry. The package of the algorithm calls it in an init function, with a summary of one
// line and a function that returns a new value with the default options. Register panics if the name is taken, which is a
// programming error.
func Register(name, summary string, make func() Algorithm) {
	if _, taken := registry[name]; taken {
		panic("federation: two algorithms named " + name)
	}
	registry[name] = entry{summary, make}
}

// Names returns the names of the registered algorithms in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(registry))
	for name := range registry {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Summary returns the summary of the algorithm with a name, or "" if no algorithm has that name.
func Summary(name string) string { return registry[name].summary }

// New returns a new algorithm with its default options. The error for an unknown name lists the known ones.
func New(name string) (Algorithm, error) {
	e, ok := registry[name]
	if !ok {
		return nil, fmt.Errorf("unknown algorithm %q: the algorithms are %s", name, strings.Join(Names(), ", "))
	}
	return e.make(), nil
}
