package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"feddag/internal/atomicfile"
)

// An imported set is a set file in a cache folder, with its own name. It needs no other file and is never out of date.

var importName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Import reads a set and stores it, decoded, under a name in the folder o.Cache. It returns the file and the set. An earlier
// import with this name is replaced. It is an error to use the name of a registered set.
func Import(ctx context.Context, as, name string, o LoadOptions) (file string, s *Set, err error) {
	if !importName.MatchString(as) {
		return "", nil, fmt.Errorf("name %q: use up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first", as)
	}
	if known, err := registered(as); err == nil {
		return "", nil, fmt.Errorf("name %q: this is the data set %s; choose another name", as, known)
	}
	if o.Cache == "" {
		return "", nil, errors.New("no directory for the imported set can be written to: name one with --data-dir")
	}
	cache := o.Cache
	o.Cache = ""
	if s, err = load(ctx, name, o); err != nil {
		return "", nil, err
	}
	s.Name, s.Title = as, as
	file = filepath.Join(cache, as+setSuffix)
	if err := atomicfile.Write(file, func(w io.Writer) error { return writeSet(w, s, "imported") }); err != nil {
		return "", nil, fmt.Errorf("writing %s: %w", file, err)
	}
	s.addWarnings()
	return file, s, nil
}

// Imported returns the sorted names of the imported sets in the cache folders of dirs.
func Imported(dirs []string) []string {
	var names []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(filepath.Join(dir, cacheFolder))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), setSuffix); ok && importName.MatchString(name) && !decodedName.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// importedSource is the source of an imported set.
func importedSource(name string) source {
	find := func(q query) ([]string, error) {
		var looked []string
		for _, dir := range q.dirs {
			file := filepath.Join(dir, cacheFolder, name+setSuffix)
			if _, missing, err := filesIn(filepath.Dir(file), []string{filepath.Base(file)}); err != nil {
				return nil, err
			} else if len(missing) == 0 {
				return []string{file}, nil
			}
			looked = append(looked, filepath.Dir(file))
		}
		return nil, &NotFoundError{Name: name, Looked: looked, Needs: name + setSuffix, Advice: "feddag data import " + name + " PATH"}
	}
	return source{name: name, title: name, find: find, read: func(_ context.Context, files []string, _ query) (*Set, error) {
		s, _, err := openSetFile(files[0])
		return s, err
	}}
}
