package data

import (
	"fmt"
	"slices"
	"strings"
)

// source is a registered data set.
type source struct {
	name    string
	aliases []string
	// find returns the files the set would be read from, or a *NotFoundError.
	find func(dirs []string) ([]string, error)
	// read reads the files find returned.
	read func(files []string) (*Set, error)
}

var sources = map[string]source{}

// register adds a data set; each set's file calls it in init. Two sets of one name are a programming error.
func register(src source) {
	if _, dup := sources[src.name]; dup {
		panic("data: two data sets named " + src.name)
	}
	sources[src.name] = src
}

// Names returns the registered data sets, sorted.
func Names() []string { return sortedKeys(sources) }

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Canonical returns the registered name for a name or alias, in any case ("FashionMNIST" is "fashion-mnist"), or an
// error naming the nearest known one.
func Canonical(name string) (string, error) {
	low := strings.ToLower(strings.TrimSpace(name))
	if _, ok := sources[low]; ok {
		return low, nil
	}
	for _, n := range Names() {
		if slices.Contains(sources[n].aliases, low) {
			return n, nil
		}
	}
	return "", unknown("data set", name, Names())
}

// Find returns the files a set would be read from, the first complete copy in the order of dirs, without reading them.
// If there is none the error is a *NotFoundError: every place looked, and what to do.
func Find(name string, dirs []string) ([]string, error) {
	name, err := Canonical(name)
	if err != nil {
		return nil, err
	}
	return sources[name].find(dirs)
}

// Load reads a data set from the first of dirs (see SearchDirs) that holds all of it. An unknown name is an error that
// names the nearest known one; a damaged file is an error that names the file.
func Load(name string, dirs []string) (*Set, error) {
	name, err := Canonical(name)
	if err != nil {
		return nil, err
	}
	files, err := sources[name].find(dirs)
	if err != nil {
		return nil, err
	}
	s, err := sources[name].read(files)
	if err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// NotFoundError says that a data set is nowhere, in one line: every place looked, and what to do.
type NotFoundError struct {
	Name   string   // the data set
	Looked []string // the directories searched, each with a remark if it holds some of the set
	Needs  string   // the files it consists of
	Advice string   // how to get it
}

func (e *NotFoundError) Error() string {
	looked := "nowhere"
	if len(e.Looked) > 0 {
		looked = strings.Join(e.Looked, ", ")
	}
	return fmt.Sprintf("data set %s not found: looked in %s for %s; %s", e.Name, looked, e.Needs, e.Advice)
}
