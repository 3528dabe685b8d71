package federation

import (
	"fmt"
	"slices"
	"strings"
)

// entry is a registered algorithm.
type entry struct {
	summary string
	make    func() Algorithm
}

var registry = map[string]entry{}

// Register adds an algorithm under a name; its file does so in an init. make returns it with its defaults. Two of one
// name are a programming error.
func Register(name, summary string, make func() Algorithm) {
	if _, taken := registry[name]; taken {
		panic("federation: two algorithms named " + name)
	}
	registry[name] = entry{summary, make}
}

// Names returns the registered algorithms, sorted.
func Names() []string {
	names := make([]string, 0, len(registry))
	for name := range registry {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Summary returns one line on an algorithm, empty if there is none of that name.
func Summary(name string) string { return registry[name].summary }

// New returns an algorithm with its default options.
func New(name string) (Algorithm, error) {
	e, ok := registry[name]
	if !ok {
		return nil, fmt.Errorf("unknown algorithm %q: there is %s", name, strings.Join(Names(), ", "))
	}
	return e.make(), nil
}
