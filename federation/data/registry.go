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
	title   string // the name in texts; "" for name
	aliases []string
	// takesPath says that the set is written NAME:PATH, or NAME alone for the first directory of data sets.
	takesPath bool
	// endings are the endings of the files of such a set: see NameOf.
	endings []string
	// options are the keys of LoadOptions.Extra that the set knows, each with its help text.
	options map[string]string
	// cacheable reports whether these files take so long to read that the decoded set is kept in LoadOptions.Cache;
	// nil for never.
	cacheable func(files []string) bool
	origin    origin // the published files
	// find returns the files and folders to read the set from, or a *NotFoundError.
	find func(q query) ([]string, error)
	// read reads the files that find returned.
	read func(ctx context.Context, files []string, q query) (*Set, error)
	// published returns an error unless a set has the published pixels and labels; nil if their checksums are not known.
	published func(s *Set) error
}

// query is a request for a data set.
type query struct {
	name     string // result of Canonical
	path     string // the PATH of NAME:PATH
	dirs     []string
	extra    map[string]string
	cache    string // LoadOptions.Cache, for a set that is made from another one
	progress func(done, total int)
}

var sources = map[string]source{}

// register adds a data set. The file of each set calls it in init. Two sets with the same name are a programming error.
func register(src source) {
	if _, dup := sources[src.name]; dup {
		panic("data: two data sets named " + src.name)
	}
	if src.title == "" {
		src.title = src.name
	}
	sources[src.name] = src
}

// LoadOptions say where a data set is searched and how it is read. With the zero value no directory is searched and no
// decoded set is kept.
type LoadOptions struct {
	Dirs  []string          // the directories to search, in order; see SearchDirs
	Cache string            // folder of decoded sets, see CacheDir; "" to keep none
	Extra map[string]string // options of this set; see SourceOptions
	// Progress is called with the number of decoded images and of all images, from one goroutine at a time; nil for
	// none.
	Progress func(done, total int)
}

// Names returns the registered data sets, sorted.
func Names() []string { return sortedKeys(sources) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Title returns the name of a data set in texts: "CIFAR-10 (JPEG)" for "cifar10-jpeg".
func Title(name string) string {
	base, path, _ := strings.Cut(name, ":")
	src, ok := sources[base]
	if !ok || path != "" {
		return name
	}
	return src.title
}

// TakesPath reports whether a data set is written NAME:PATH.
func TakesPath(name string) bool { return sources[name].takesPath }

// NameOf returns the set of a path without a name, as NAME:PATH: the set to which the ending of the file belongs, or
// folder:PATH.
func NameOf(path string) string {
	if !isFolder(path) {
		for _, name := range Names() {
			if slices.Contains(sources[name].endings, strings.ToLower(filepath.Ext(path))) {
				return name + ":" + path
			}
		}
	}
	return "folder:" + path
}

// SourceOptions returns the options that a data set knows, each with its help text.
func SourceOptions(name string) map[string]string {
	base, _, _ := strings.Cut(name, ":")
	return maps.Clone(sources[base].options)
}

// registered returns the registered name for a name or alias in any case, or an error that names the nearest known
// name.
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

// Canonical returns the registered name for a name or alias in any case ("FashionMNIST" is "fashion-mnist"), with the
// path that follows it if the set takes a path ("folder:pacs"). It returns the name of a set that was imported into one of
// dirs unchanged. For any other name it returns an error that names the nearest known name.
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

// CheckOptions returns an error for an option that a set does not know. The error names the nearest option that it
// knows.
func CheckOptions(name string, extra map[string]string) error {
	base, _, _ := strings.Cut(name, ":")
	known := sources[base].options
	for _, key := range sortedKeys(extra) {
		if len(known) == 0 {
			return fmt.Errorf("data set %s has no options, but %s=%s is given", base, key, extra[key])
		}
		if _, ok := known[key]; !ok {
			return spelling.Unknown("option of data set "+base, key, sortedKeys(known))
		}
	}
	return nil
}

// resolve returns the source and the query for a name and options.
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
	return src, query{name: name, path: path, dirs: o.Dirs, extra: o.Extra, cache: o.Cache, progress: o.Progress}, nil
}

// Find returns the files from which a set would be read, without reading them: the first complete copy in the order of dirs.
// If there is none, the error is a *NotFoundError.
func Find(name string, dirs []string) ([]string, error) {
	src, q, err := resolve(name, LoadOptions{Dirs: dirs})
	if err != nil {
		return nil, err
	}
	return src.find(q)
}

// Load reads a data set from the first of o.Dirs that has all of its files, or from its decoded copy in o.Cache if this was
// made from the same files. An unknown name or option is an error that names the nearest known one. A damaged file is an
// error that names the file. A decoded copy that cannot be read or written is not an error, but a note in Set.Notes. There
// are also notes about images that are left out, classes without images, images with only one value, and the like.
func Load(ctx context.Context, name string, o LoadOptions) (*Set, error) {
	s, err := load(ctx, name, o)
	if err != nil {
		return nil, err
	}
	s.addWarnings()
	return s, nil
}

// load is Load without the warnings about the images, which are not stored with a set.
func load(ctx context.Context, name string, o LoadOptions) (*Set, error) {
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
		if err := s.Check(); err != nil {
			return nil, err
		}
		s.hash = s.Hash() // computed once, also for the decoded copy
		return s, nil
	}
	var s *Set
	if src.cacheable == nil || !src.cacheable(files) || o.Cache == "" {
		s, err = read()
	} else {
		s, err = loadCached(o.Cache, q, files, read)
	}
	if err != nil {
		return nil, err
	}
	s.hash = s.Hash() // a decoded copy of an earlier version has no hash
	return s, nil
}

// NotFoundError is the error for a data set that was not found. It says in one line which directories were searched and
// what to do.
type NotFoundError struct {
	Name   string   // the data set
	Looked []string // the directories that were searched, with a remark if a directory has a part of the set
	Needs  string   // the files of the set
	Advice string   // how to get them
}

func (e *NotFoundError) Error() string {
	looked := "nowhere"
	if len(e.Looked) > 0 {
		looked = strings.Join(e.Looked, ", ")
	}
	return fmt.Sprintf("data set %s not found: looked in %s for %s; %s", e.Name, looked, e.Needs, e.Advice)
}

// isFolder reports whether a path is a folder or a link to one.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
