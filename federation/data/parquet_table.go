package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/parquet"
)

// tableRow is an image of a parquet file.
type tableRow struct {
	place, split, class, user string
	image                     []byte
}

// table is a parquet file of images.
type table struct {
	file                *parquet.File
	place               string
	image, label, users *parquet.Column // users may be nil
	classes             []string        // by label; nil if labels are plain numbers or names
	rows                []tableRow
	encoded             int // number of bytes of the encoded images
}

// readTable reads the images of a file, which is root or is below root.
func readTable(root, place string, q query) (*table, error) {
	f, err := os.Open(place)
	if err != nil {
		return nil, errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return decodeTable(f, info.Size(), root, place, q)
}

// decodeTable reads a file of size bytes.
func decodeTable(r io.ReaderAt, size int64, root, place string, q query) (*table, error) {
	f, err := parquet.Open(r, size)
	if err != nil {
		return nil, err
	}
	t := &table{file: f, place: place}
	if err := t.resolve(q); err != nil {
		return nil, err
	}
	split, user := splitAndUser(root, place)
	if q.extra["users"] != "files" {
		user = ""
	} else if user == "" || t.users != nil {
		return nil, errors.New("option users=files: the path below the folder has no name of a user, or the option user is also given")
	}
	return t, t.read(split, user)
}

// splitAndUser returns the split that is indicated by the name of a file or of one of its folders, and the rest of the path
// below root without its ending.
func splitAndUser(root, place string) (split, user string) {
	rel, err := filepath.Rel(root, place)
	if err != nil || rel == "." {
		rel = filepath.Base(place)
	}
	var rest []string
	for _, part := range strings.Split(filepath.ToSlash(strings.TrimSuffix(rel, ".parquet")), "/") {
		word, _, _ := strings.Cut(part, "-")
		if of := splitOf(word); of != "" {
			split = of
		} else {
			rest = append(rest, part)
		}
	}
	return split, strings.Join(rest, "/")
}

// features returns the descriptions of the columns that the library datasets writes, by name.
func (t *table) features() map[string]feature {
	var meta struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	out := map[string]feature{}
	if json.Unmarshal([]byte(t.file.Meta["huggingface"]), &meta) != nil {
		return out
	}
	for name, text := range meta.Info.Features {
		var f feature
		if json.Unmarshal(text, &f) == nil { // descriptions of other kinds are lists
			out[name] = f
		}
	}
	return out
}

type feature struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

// resolve finds the columns.
func (t *table) resolve(q query) (err error) {
	features := t.features()
	if t.image, err = t.column(q, "image", func(c *parquet.Column) bool {
		return len(c.Path) == 2 && c.Path[1] == "bytes" || len(c.Path) == 1 && features[c.Path[0]].Type == "Image"
	}); err != nil {
		return err
	}
	labelled := func(c *parquet.Column) bool { return features[c.Path[0]].Type == "ClassLabel" }
	if !slices.ContainsFunc(t.file.Columns, labelled) {
		labelled = func(c *parquet.Column) bool { return slices.Contains([]string{"label", "labels"}, c.Path[0]) }
	}
	if t.label, err = t.column(q, "label", labelled); err != nil {
		return err
	}
	if f := features[t.label.Path[0]]; f.Type == "ClassLabel" {
		t.classes = f.Names
		if len(positions(f.Names)) != len(f.Names) || len(f.Names) == 0 {
			return fmt.Errorf("the %d class names of column %s must be at least one and all different", len(f.Names), t.label)
		}
	}
	if _, given := q.extra["user"]; given {
		t.users, err = t.column(q, "user", nil)
	}
	return err
}

// column returns the column that an option names or, if it is not given, the only one that fits.
func (t *table) column(q query, option string, fits func(c *parquet.Column) bool) (*parquet.Column, error) {
	var all, names []string
	var found *parquet.Column
	name, given := q.extra[option]
	for _, c := range t.file.Columns {
		if !slices.Contains(all, c.Path[0]) {
			all = append(all, c.Path[0])
		}
		if given && (c.Name() == name || c.Name() == name+".bytes") || !given && fits(c) {
			found, names = c, append(names, c.Path[0])
		}
	}
	switch {
	case len(names) == 1:
		return found, nil
	case given:
		return nil, fmt.Errorf("option %s=%s: there is no such column; the columns are %s", option, name, few(all))
	case len(names) == 0:
		return nil, fmt.Errorf("it is not clear which column is the %s: name it with the option %s=COLUMN; the columns are %s", option, option, few(all))
	}
	return nil, fmt.Errorf("the %s may be any of the columns %s: choose with the option %s=COLUMN", option, few(names), option)
}

// read reads the rows. They belong to a split and, if user is not empty, to a user.
func (t *table) read(split, user string) error {
	at := func(row int, format string, args ...any) error {
		return fmt.Errorf("row %d: %s", row, fmt.Sprintf(format, args...))
	}
	err := t.file.Read(t.image, func(row int, v parquet.Value) error {
		if v.Null || len(v.Bytes) == 0 {
			return at(row, "column %s is empty, so the image is not in the file: write it with embed_external_files=True", t.image)
		}
		if len(v.Bytes) > maxImageFile {
			return at(row, "the image has more than %d bytes", maxImageFile)
		}
		t.encoded += len(v.Bytes)
		t.rows = append(t.rows, tableRow{place: fmt.Sprintf("%s: row %d", t.place, row), split: split, user: user, image: v.Bytes})
		return nil
	})
	if err != nil {
		return err
	}
	err = t.file.Read(t.label, func(row int, v parquet.Value) error {
		class := string(v.Bytes)
		if t.label.Type != parquet.ByteArray {
			class = strconv.FormatInt(v.Int, 10)
		}
		switch {
		case v.Null || isMissing(class) || class == "":
			return at(row, "column %s has no label", t.label)
		case t.label.Type != parquet.ByteArray && v.Int == -1:
			return at(row, "label -1 of column %s means that there is no label: leave out the file", t.label)
		case t.classes != nil && t.label.Type == parquet.ByteArray:
			if !slices.Contains(t.classes, class) {
				return at(row, "label %q of column %s is not one of the classes", class, t.label)
			}
		case t.classes != nil:
			if v.Int < 0 || v.Int >= int64(len(t.classes)) {
				return at(row, "label %d of column %s is out of range: it must be 0 to %d", v.Int, t.label, len(t.classes)-1)
			}
			class = t.classes[v.Int]
		}
		t.rows[row].class = class
		return nil
	})
	if err != nil || t.users == nil {
		return err
	}
	return t.file.Read(t.users, func(row int, v parquet.Value) error {
		name := string(v.Bytes)
		if t.users.Type != parquet.ByteArray {
			name = strconv.FormatInt(v.Int, 10)
		}
		if v.Null || isMissing(name) || name == "" {
			return at(row, "column %s has no user", t.users)
		}
		t.rows[row].user = name
		return nil
	})
}

// unread returns a note that names the columns that are not read, if there are any.
func (t *table) unread() []string {
	read := []string{t.image.Path[0], t.label.Path[0]}
	if t.users != nil {
		read = append(read, t.users.Path[0])
	}
	var names []string
	for _, c := range t.file.Columns {
		if name := c.Path[0]; !slices.Contains(read, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s not read in %s: %s", counted(len(names), "column is", "columns are"), filepath.Base(t.place), few(names))}
}
