package data

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/npy"
	"feddag/internal/pickle"
)

// The set pfllib is a data set that PFLlib has divided (github.com/TsingZ0/PFLlib). PFLlib writes the images themselves, not
// their indices: config.json, and for each client I from 0, train/I.npz and test/I.npz with an array data, which is one
// dictionary of x, N x C x H x W numbers, and y, N labels. A client is a user here. Values are whole multiples of 1/255 after
// PFLlib's scaling, which the option scale names. Other values are an error, because pixels are bytes here.
func init() {
	register(source{
		name: "pfllib", title: "a set divided by PFLlib", takesPath: true, cacheable: always,
		options: map[string]string{"scale": "half: values from -1 to 1, as Normalize(0.5, 0.5) leaves them (default); unit: from 0 to 1, as ToTensor does; bytes: from 0 to 255"},
		find: func(q query) ([]string, error) {
			dir, err := findPath(q, []string{""}, nil, "PFLlib's folder with train/, test/ and config.json")
			if err == nil && !isFolder(dir) {
				err = fmt.Errorf("%s: it is a file, but a folder of PFLlib is needed, with train/, test/ and config.json", dir)
			}
			return []string{dir}, err
		},
		read: readPFLlib,
	})
}

// maxPFLlibFile bounds the bytes that a client's file may unpack to.
const maxPFLlibFile = 1 << 33

// pflConfig is the part of config.json that is read.
type pflConfig struct {
	Clients *int       `json:"num_clients"`
	Classes *int       `json:"num_classes"`
	Counts  [][][2]int `json:"Size of samples for labels in clients"` // label and number of images for each client
}

func readPFLlib(ctx context.Context, files []string, q query) (*Set, error) {
	dir := files[0]
	scale, err := scaleOption(q, "half")
	if err != nil {
		return nil, err
	}
	config, err := readPFLConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	clients, notes, err := pflClients(dir, config)
	if err != nil {
		return nil, err
	}
	s := &Set{Notes: notes}
	for i := range clients {
		s.UserNames = append(s.UserNames, strconv.Itoa(i))
		counts := map[int]int{}
		for k, split := range []string{"train", "test"} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			file := filepath.Join(dir, split, strconv.Itoa(i)+".npz")
			d, err := readPFLFile(file)
			if err == nil {
				err = s.addPFLClient([]*Images{&s.Train, &s.Test}[k], d, scale, int32(i), counts)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := config.compare(i, counts); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
		}
		if q.progress != nil {
			q.progress(i+1, clients)
		}
	}
	if config.Classes != nil {
		if *config.Classes < s.Classes {
			return nil, fmt.Errorf("%s: num_classes is %d, but there is a label %d", filepath.Join(dir, "config.json"), *config.Classes, s.Classes-1)
		}
		s.Classes = *config.Classes
	}
	s.scaleByTraining()
	return s, nil
}

// readPFLConfig reads config.json, which may be missing.
func readPFLConfig(file string) (pflConfig, error) {
	var c pflConfig
	b, err := readFile(file, maxIndexMap)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// pflClients counts the clients, which are the files 0.npz, 1.npz, ... of train/; test/ has the same files. notes name the
// files with other names.
func pflClients(dir string, config pflConfig) (n int, notes []string, err error) {
	var names [2]map[string]bool
	var others []string
	for k, split := range []string{"train", "test"} {
		names[k] = map[string]bool{}
		entries, err := os.ReadDir(filepath.Join(dir, split))
		if err != nil {
			return 0, nil, err
		}
		for _, e := range entries {
			stem, isNPZ := strings.CutSuffix(e.Name(), ".npz")
			if i, err := strconv.Atoi(stem); isNPZ && err == nil && strconv.Itoa(i) == stem && i >= 0 {
				names[k][e.Name()] = true
			} else if !hidden(e.Name()) {
				others = append(others, split+"/"+e.Name())
			}
		}
	}
	n = max(len(names[0]), len(names[1]))
	if config.Clients != nil {
		n = *config.Clients
	}
	for i := range n {
		for k, split := range []string{"train", "test"} {
			if file := strconv.Itoa(i) + ".npz"; !names[k][file] {
				return 0, nil, fmt.Errorf("%s: the file is missing, but each of the %d clients needs a file in train/ and in test/; divide the set again with PFLlib", filepath.Join(dir, split, file), n)
			}
		}
	}
	if n == 0 || len(names[0]) > n || len(names[1]) > n {
		return 0, nil, fmt.Errorf("%s: there are %d files in train/ and %d in test/ for %d clients; divide the set again with PFLlib", dir, len(names[0]), len(names[1]), n)
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("%s left out, because only train/I.npz and test/I.npz are read: %s", counted(len(others), "file is", "files are"), few(others)))
	}
	return n, notes, nil
}

// addPFLClient appends the images of a client's dictionary to a split, and counts the labels.
func (s *Set) addPFLClient(to *Images, d *pickle.Dict, scale string, client int32, counts map[int]int) error {
	x, ok := d.Items["x"].(*npy.Array)
	if !ok || x.Len() == 0 && !slices.Contains(x.Shape, 0) {
		return errors.New("x is not an array of numbers: only images are read, N x C x H x W")
	}
	labels, err := pickledLabels(d, "y")
	if err != nil {
		return err
	}
	shape := x.Shape
	switch {
	case len(labels) == 0:
		return nil // it may have any shape
	case len(shape) == 3:
		shape = []int{shape[0], 1, shape[1], shape[2]}
	case len(shape) != 4:
		return fmt.Errorf("x has the shape %v: only images are read, N x C x H x W", shape)
	}
	if shape[0] != len(labels) {
		return fmt.Errorf("x has %d images, but y has %d labels", shape[0], len(labels))
	}
	if s.Channels == 0 {
		s.Channels, s.Height, s.Width = shape[1], shape[2], shape[3]
	} else if !slices.Equal(shape[1:], []int{s.Channels, s.Height, s.Width}) {
		return fmt.Errorf("the images are %d x %d x %d, but those of earlier clients are %d x %d x %d", shape[1], shape[2], shape[3], s.Channels, s.Height, s.Width)
	}
	if to.Pixels, err = appendPixels(to.Pixels, x, scale); err != nil {
		return fmt.Errorf("x: %w", err)
	}
	for _, l := range labels {
		counts[int(l)]++
		s.Classes = max(s.Classes, int(l)+1)
		to.Labels, to.Users = append(to.Labels, l), append(to.Users, client)
	}
	return nil
}

// readPFLFile reads the dictionary in the array data of a .npz. The array has one object.
func readPFLFile(file string) (*pickle.Dict, error) {
	z, err := openZip(file)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	if len(z.File) != 1 || z.File[0].Name != "data.npy" {
		return nil, errors.New("it must have one array, data, as PFLlib writes it")
	}
	b, err := readEntry(z.File[0], maxPFLlibFile)
	if err != nil {
		return nil, err
	}
	return decodePFLData(b)
}

// decodePFLData reads the array data.
func decodePFLData(b []byte) (*pickle.Dict, error) {
	r := bytes.NewReader(b)
	if err := npy.ReadObjectHeader(r); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	object, err := pickle.Read(b[len(b)-r.Len():])
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if a, ok := object.(*npy.Array); ok {
		if list, ok := a.Data.(*pickle.List); ok && len(list.Items) == 1 {
			if d, ok := list.Items[0].(*pickle.Dict); ok {
				return d, nil
			}
		}
	}
	return nil, errors.New("data is not a dictionary of x and y, as PFLlib writes it")
}

// compare returns an error if the labels of a client do not match the counts in config.json.
func (c pflConfig) compare(client int, counts map[int]int) error {
	if client >= len(c.Counts) {
		return nil
	}
	total := 0
	for _, pair := range c.Counts[client] {
		if got := counts[pair[0]]; got != pair[1] {
			return fmt.Errorf("client %d has %d images of label %d, but its files have %d; divide the set again with PFLlib", client, pair[1], pair[0], got)
		}
		total += pair[1]
	}
	for _, n := range counts {
		total -= n
	}
	if total != 0 {
		return fmt.Errorf("client %d has labels in its files that are not counted; divide the set again with PFLlib", client)
	}
	return nil
}
