package data

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/spelling"
)

// source is a registered data set.
type source struct {
	name    string
	title   string // as a person writes it; "" for name
	aliases []string
	// takesPath says that the set is written NAME:PATH, or NAME alone for the first directory.
	takesPath bool
	// options are the keys of LoadOptions.Extra that read looks at, each with what it does.
	options map[string]string
	// kept says whether reading these files takes long enough for the decoded set to be kept in LoadOptions.Cache; nil
	// if it never does.
	kept   func(files []string) bool
	origin origin // what is published
	// find returns the files and folders the set would be read from, or a *NotFoundError.
	find func(q query) ([]string, error)
	// read reads what find returned.
	read func(ctx context.Context, files []string, q query) (*Set, error)
}

// query is one wish for a data set.
type query struct {
	name     string // as Canonical returns it
	path     string // what follows NAME: in it
	dirs     []string
	extra    map[string]string
	progress func(done, total int)
}

var sources = map[string]source{}

// register adds a data set; each set's file calls it in init. Two sets of one name are a programming error.
func register(src source) {
	if _, dup := sources[src.name]; dup {
		panic("data: two data sets named " + src.name)
	}
	if src.title == "" {
		src.title = src.name
	}
	sources[src.name] = src
}

// LoadOptions say where a data set is looked for and how it is read. The zero value finds nothing, keeps nothing.
type LoadOptions struct {
	Dirs  []string          // where to look, in order: SearchDirs
	Cache string            // the folder of decoded sets: CacheDir; "" to keep none
	Extra map[string]string // options of this set alone, see SourceOptions
	// Progress is told how many images of how many are decoded, from one goroutine at a time; nil for none.
	Progress func(done, total int)
}

// Names returns the registered data sets, sorted.
func Names() []string { return sortedKeys(sources) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Title returns a data set's name as a person writes it: "CIFAR-10 (JPEG)" for "cifar10-jpeg".
func Title(name string) string {
	base, path, _ := strings.Cut(name, ":")
	src, ok := sources[base]
	if !ok || path != "" {
		return name
	}
	return src.title
}

// TakesPath says whether a data set is written NAME:PATH.
func TakesPath(name string) bool { return sources[name].takesPath }

// SourceOptions returns the options that a data set knows beside its name, each with what it does.
func SourceOptions(name string) map[string]string {
	base, _, _ := strings.Cut(name, ":")
	return maps.Clone(sources[base].options)
}

// registered returns the registered name for a name or alias in any case, or an error naming the nearest known one.
func registered(name string) (string, error) {
	low := strings.ToLower(name)
	if _, ok := sources[low]; ok {
		return low, nil
	}
	for _, n := range Names() {
		if slices.Contains(sources[n].aliases, low) {
			return n, nil
		}
	}
	return "", spelling.Unknown("data set", name, Names())
}

// Canonical returns the registered name for a name or alias, in any case ("FashionMNIST" is "fashion-mnist"), with the
// path that follows it where the set takes one ("folder:pacs"); or the name of a set imported into one of dirs; or an
// error naming the nearest known one.
func Canonical(name string, dirs []string) (string, error) {
	name = strings.TrimSpace(name)
	if slices.Contains(Imported(dirs), name) {
		return name, nil
	}
	base, path, hasPath := strings.Cut(name, ":")
	known, err := registered(base)
	switch {
	case err != nil:
		return "", spelling.Unknown("data set", base, append(Names(), Imported(dirs)...))
	case !hasPath:
		return known, nil
	case !sources[known].takesPath:
		return "", fmt.Errorf("data set %s takes no path: write %s alone and name its folder with --data-dir", name, known)
	case path == "":
		return "", fmt.Errorf("data set %q: write the path after the colon, %s:PATH", name, known)
	}
	return known + ":" + filepath.Clean(path), nil
}

// sourceOf returns the source of a name that Canonical returned.
func sourceOf(name string) source {
	base, _, _ := strings.Cut(name, ":")
	if src, ok := sources[base]; ok {
		return src
	}
	return importedSource(name)
}

// CheckOptions returns an error for an option that a set does not know, naming the nearest it does.
func CheckOptions(name string, extra map[string]string) error {
	base, _, _ := strings.Cut(name, ":")
	known := sources[base].options
	for _, key := range sortedKeys(extra) {
		if len(known) == 0 {
			return fmt.Errorf("data set %s has no options, got %s=%s", base, key, extra[key])
		}
		if _, ok := known[key]; !ok {
			return spelling.Unknown("option of data set "+base, key, sortedKeys(known))
		}
	}
	return nil
}

// resolve makes a query of a name and options.
func resolve(name string, o LoadOptions) (source, query, error) {
	name, err := Canonical(name, o.Dirs)
	if err != nil {
		return source{}, query{}, err
	}
	_, path, _ := strings.Cut(name, ":")
	src := sourceOf(name)
	if err := CheckOptions(name, o.Extra); err != nil {
		return src, query{}, err
	}
	return src, query{name: name, path: path, dirs: o.Dirs, extra: o.Extra, progress: o.Progress}, nil
}

// Find returns the files a set would be read from, the first complete copy in the order of dirs, without reading them.
// If there is none the error is a *NotFoundError: every place looked, and what to do.
func Find(name string, dirs []string) ([]string, error) {
	src, q, err := resolve(name, LoadOptions{Dirs: dirs})
	if err != nil {
		return nil, err
	}
	return src.find(q)
}

// Load reads a data set from the first of o.Dirs that holds all of it, or its decoded copy in o.Cache where that
// was made of the same files. An unknown name or option is an error that names the nearest known one; a damaged file is
// an error that names the file. A decoded copy that cannot be read or written is no error, but a note in Set.Notes.
func Load(ctx context.Context, name string, o LoadOptions) (*Set, error) {
	src, q, err := resolve(name, o)
	if err != nil {
		return nil, err
	}
	files, err := src.find(q)
	if err != nil {
		return nil, err
	}
	read := func() (*Set, error) {
		s, err := src.read(ctx, files, q)
		if err != nil {
			return nil, err
		}
		s.Name, s.Files = q.name, slices.Clone(files)
		if s.Title == "" {
			s.Title = Title(q.name)
		}
		return s, s.Check()
	}
	if src.kept == nil || !src.kept(files) || o.Cache == "" {
		return read()
	}
	return throughCache(o.Cache, q, files, read)
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

// isDir says whether a path is a directory, behind a link or not.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
