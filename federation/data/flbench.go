package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"feddag/internal/indexmap"
)

// The set flbench is a data set that FL-bench has divided (github.com/KarhouTam/FL-bench). FL-bench concatenates training
// and test images, training images first, assigns them to clients, and splits the images of each client again. Its
// partition.pkl has the lists of indices of each client, which is a user here. The option set names the data set that was
// divided. Images in validation lists and in no list are left out. If FL-bench's all_stats.json is in the same folder, the
// labels of each client are compared with it.
func init() {
	register(source{
		name: "flbench", title: "a set divided by FL-bench", aliases: []string{"fl-bench"}, takesPath: true,
		options: map[string]string{optionSet: "the data set that was divided, such as cifar10 (required)"},
		find:    findFLBench, read: readFLBench,
	})
}

const (
	optionSet   = "set"
	maxIndexMap = 1 << 30 // largest number of bytes of a file of indices
	statsFile   = "all_stats.json"
)

// findFLBench returns the file of the indices and the files of the set that it divides.
func findFLBench(q query) ([]string, error) {
	file, err := findPath(q, []string{"", "/partition.pkl"}, nil, "FL-bench's partition.pkl")
	if err != nil {
		return nil, err
	}
	if isFolder(file) {
		file = filepath.Join(file, "partition.pkl")
	}
	if q.extra[optionSet] == "" {
		return nil, fmt.Errorf("data set flbench: name the data set that was divided with --dataset-option %s=NAME, such as %s=cifar10", optionSet, optionSet)
	}
	base, err := Find(q.extra[optionSet], q.dirs)
	return append([]string{file}, base...), err
}

func readFLBench(ctx context.Context, files []string, q query) (*Set, error) {
	file := files[0]
	b, err := readFile(file, maxIndexMap)
	if err != nil {
		return nil, err
	}
	m, err := indexmap.Read(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	base, err := load(ctx, q.extra[optionSet], LoadOptions{Dirs: q.dirs, Cache: q.cache, Progress: q.progress})
	if err != nil {
		return nil, fmt.Errorf("option %s: %w", optionSet, err)
	}
	if !m.Pooled {
		return nil, fmt.Errorf("%s: it is not a file of FL-bench, because it has no data_indices; use it with --dataset %s --partition-file", file, base.Name)
	}
	s, err := divide(base, m)
	if err == nil {
		err = compareStats(filepath.Join(filepath.Dir(file), statsFile), base, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// divide returns the set of the images that a map with pooled indices assigns to its clients, in the order of their
// indices. A client of the map is a user of the set.
func divide(base *Set, m *indexmap.Map) (*Set, error) {
	trained, all := base.Train.Len(), base.Train.Len()+base.Test.Len()
	owner, use := make([]int32, all), make([]uint8, all) // for each image: the number of its client plus 1, or 0 for none, and its list
	s := *base
	s.hash, s.UserNames, s.Notes = "", nil, slices.Clone(base.Notes)
	var count [3]int // numbers of training, test and validation images
	for k, c := range m.Clients {
		s.UserNames = append(s.UserNames, c.Name)
		for u, list := range [3][]int32{c.Train, c.Test, c.Val} {
			for _, i := range list {
				switch {
				case int(i) >= all:
					return nil, fmt.Errorf("client %q: index %d is out of range, because data set %s has %d images; perhaps another set was divided", c.Name, i, base.Name, all)
				case owner[i] != 0:
					return nil, fmt.Errorf("client %q: index %d is used twice (also by client %q)", c.Name, i, m.Clients[owner[i]-1].Name)
				}
				owner[i], use[i] = int32(k+1), uint8(u)
			}
			count[u] += len(list)
		}
	}
	if count[0] == 0 || count[1] == 0 {
		return nil, fmt.Errorf("%d training and %d test images, both are needed", count[0], count[1])
	}
	size := s.ImageSize()
	var splits [2]Images
	for k := range splits {
		n := count[k]
		splits[k] = Images{Pixels: make([]byte, 0, n*size), Labels: make([]uint8, 0, n), Users: make([]int32, 0, n)}
	}
	for i, o := range owner {
		if o == 0 || use[i] > 1 {
			continue
		}
		from, at, to := base.Train, i, &splits[use[i]]
		if i >= trained {
			from, at = base.Test, i-trained
		}
		to.Pixels = append(to.Pixels, base.Image(from, at)...)
		to.Labels = append(to.Labels, from.Labels[at])
		to.Users = append(to.Users, o-1)
	}
	s.Train, s.Test = splits[0], splits[1]
	if count[2] > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d validation images are left out", count[2]))
	}
	if left := all - count[0] - count[1] - count[2]; left > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d of %d images of %s are left out, because they belong to no client", left, all, base.Name))
	}
	return &s, nil
}

// compareStats returns an error if the file of statistics exists and does not match the labels of a client. Then another set
// was divided, or its images are in another order.
func compareStats(file string, base *Set, m *indexmap.Map) error {
	b, err := readFile(file, maxIndexMap)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return compareLabels(b, base, m)
}

// compareLabels compares the labels of the clients with statistics.
func compareLabels(b []byte, base *Set, m *indexmap.Map) error {
	var stats map[string]json.RawMessage
	if err := json.Unmarshal(b, &stats); err != nil {
		return fmt.Errorf("%s: not valid JSON: %w", statsFile, err)
	}
	for _, c := range m.Clients {
		var of struct {
			Y map[string]int `json:"y"`
		}
		text, ok := stats[c.Name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(text, &of); err != nil {
			return fmt.Errorf("%s: client %q: %w", statsFile, c.Name, err)
		}
		if of.Y == nil { // statistics of other kinds of sets
			continue
		}
		counts := map[string]int{}
		for _, i := range slices.Concat(c.Train, c.Val, c.Test) {
			labels, at := base.Train.Labels, int(i)
			if at >= len(labels) {
				labels, at = base.Test.Labels, at-len(labels)
			}
			counts[strconv.Itoa(int(labels[at]))]++
		}
		maps.DeleteFunc(of.Y, func(_ string, n int) bool { return n == 0 })
		for _, label := range slices.Sorted(maps.Keys(counts)) {
			if counts[label] != of.Y[label] {
				return fmt.Errorf("client %q has %d images of label %s in data set %s, but %s says %d: another set was divided, or its images are in another order",
					c.Name, counts[label], label, base.Name, statsFile, of.Y[label])
			}
		}
		if len(counts) != len(of.Y) {
			return fmt.Errorf("client %q has images of %d labels in data set %s, but %s says %d: another set was divided, or its images are in another order",
				c.Name, len(counts), base.Name, statsFile, len(of.Y))
		}
	}
	return nil
}
