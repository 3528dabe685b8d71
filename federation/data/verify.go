package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// Finding is a result of Verify about a file or about the whole set.
type Finding struct {
	What   string // the file, or "images"
	Text   string
	Failed bool
}

// Verify reads a set from its own files, not from a decoded copy, and compares it with the published set: the checksums of
// files that are published under their names, and the numbers of images. A decoded copy must have the same images. If the
// set cannot be read, Verify returns an error and the findings so far.
func Verify(ctx context.Context, name string, o LoadOptions) (found []Finding, err error) {
	src, q, err := resolve(name, o)
	if err != nil {
		return nil, err
	}
	files, err := src.find(q)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if isFolder(file) {
			found = append(found, Finding{What: file, Text: "a folder, for which no checksum is published"})
			continue
		}
		if err := ctx.Err(); err != nil {
			return found, err
		}
		s, err := checksumFile(file)
		if err != nil {
			return found, err
		}
		f := Finding{What: file, Text: "SHA-256 " + s.sha256}
		if i := slices.IndexFunc(src.origin.files, func(d download) bool { return d.file == filepath.Base(file) }); i >= 0 {
			switch err := src.origin.files[i].check(s); {
			case err == nil:
				f.Text += ", as published"
			case src.origin.repacked:
				f.Text += ", not as published: perhaps repacked, as Debian does"
			default:
				f.Text, f.Failed = fmt.Sprintf("not as published: %v; fetch it again", err), true
			}
		}
		found = append(found, f)
	}
	cache := o.Cache
	o.Cache = ""
	s, err := Load(ctx, name, o)
	if err != nil {
		return found, err
	}
	f := Finding{What: "images", Text: fmt.Sprintf("%d + %d", s.Train.Len(), s.Test.Len())}
	if want := src.origin.images; want != [2]int{} && len(o.Extra) == 0 {
		if got := [2]int{s.Train.Len(), s.Test.Len()}; got == want {
			f.Text += ", as published"
		} else {
			f.Text, f.Failed = fmt.Sprintf("%s, but there must be %d + %d", f.Text, want[0], want[1]), true
		}
	}
	found = append(found, f)
	if len(o.Extra) == 0 && src.origin.perClass != [2]int{} {
		f := Finding{What: "classes", Text: fmt.Sprintf("%d + %d images each, as published", src.origin.perClass[0], src.origin.perClass[1])}
		for k, split := range []Images{s.Train, s.Test} {
			for c, n := range s.ClassCounts(split) {
				if n != src.origin.perClass[k] && !f.Failed {
					f.Text, f.Failed = fmt.Sprintf("%d %s images of class %d, but there must be %d", n, []string{"training", "test"}[k], c, src.origin.perClass[k]), true
				}
			}
		}
		found = append(found, f)
	}
	if src.published != nil && len(o.Extra) == 0 {
		f := Finding{What: "pixels and labels", Text: "as published"}
		if err := src.published(s); err != nil {
			f.Text, f.Failed = err.Error(), true
		}
		found = append(found, f)
	}
	if src.cacheable == nil || cache == "" {
		return found, nil
	}
	path := decodedPath(cache, q, files)
	made, err := fingerprint(q, files)
	if err != nil {
		return found, err
	}
	f = Finding{What: path, Text: "the decoded copy has the same images"}
	switch kept, of, err := openSetFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return found, nil
	case err != nil:
		f.Text, f.Failed = fmt.Sprintf("the decoded copy: %v; delete it", err), true
	case of != made:
		f.Text = "a decoded copy of other files or an earlier version, which will be replaced"
	case kept.Hash() != s.Hash() || kept.LabelHash() != s.LabelHash() || !bytes.Equal(kept.Train.Pixels, s.Train.Pixels) || !bytes.Equal(kept.Test.Pixels, s.Test.Pixels):
		f.Text, f.Failed = "the decoded copy has other images; delete it", true
	}
	return append(found, f), nil
}
