package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FileAgreement says whether a file of two runs has the same content.
type FileAgreement struct {
	Name       string
	Difference string // "" if the bytes agree
}

// comparedFiles are the files of a run, in addition to its models, that depend only on its flags.
var comparedFiles = []string{PartitionFile, MetricsFile, AssignmentsFile, ClientsFile, ClustersFile, proximityFile, ConfusionFile}

// measuredKeys are the keys of a line of metrics.jsonl whose values are times.
var measuredKeys = []string{"seconds", "training_seconds"}

// CompareRuns compares the models, metrics, clients, clusters and partitions of two runs. It ignores times in the metrics and
// skips files that neither run has.
func CompareRuns(a, b *Dir) ([]FileAgreement, error) {
	names := slices.Clone(comparedFiles)
	for _, d := range []*Dir{a, b} {
		models, err := filepath.Glob(d.Path("model", "*.safetensors"))
		if err != nil {
			return nil, err
		}
		for _, path := range models {
			if name := "model/" + filepath.Base(path); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names[len(comparedFiles):])
	var list []FileAgreement
	for _, name := range names {
		difference, there, err := compareFile(a, b, name)
		if err != nil {
			return nil, err
		}
		if there {
			list = append(list, FileAgreement{name, difference})
		}
	}
	return list, nil
}

// compareFile compares one file. there is false if neither run has it.
func compareFile(a, b *Dir, name string) (difference string, there bool, err error) {
	var content [2][]byte
	var missing []string
	for k, d := range []*Dir{a, b} {
		if content[k], err = os.ReadFile(d.Path(name)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, d.Path())
		} else if err != nil {
			return "", false, err
		}
	}
	switch {
	case len(missing) == 2:
		return "", false, nil
	case len(missing) == 1:
		return missing[0] + " does not have it", true, nil
	case bytes.Equal(content[0], content[1]):
		return "", true, nil
	case strings.HasSuffix(name, ".jsonl"):
		difference, err = compareLines(a, b, name)
		return difference, true, err
	case len(content[0]) != len(content[1]):
		return fmt.Sprintf("%d bytes and %d", len(content[0]), len(content[1])), true, nil
	}
	n := 0
	for i := range content[0] {
		if content[0][i] != content[1][i] {
			n++
		}
	}
	return fmt.Sprintf("%d of %d bytes", n, len(content[0])), true, nil
}

// compareLines compares files whose lines have a round. It ignores measured times and converts the lines to the present
// version.
func compareLines(a, b *Dir, name string) (string, error) {
	_, x, err := a.roundLines(name)
	if err != nil {
		return "", err
	}
	_, y, err := b.roundLines(name)
	if err != nil {
		return "", err
	}
	if len(x) != len(y) {
		return fmt.Sprintf("%d lines and %d", len(x), len(y)), nil
	}
	n, first := 0, 0
	for i := range x {
		same, err := sameLine(x[i], y[i])
		if err != nil {
			return "", err
		}
		if !same {
			if n == 0 {
				first = x[i].round
			}
			n++
		}
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d of %d lines, from round %d on", n, len(x), first), nil
}

// sameLine compares two lines by their keys.
func sameLine(a, b roundLine) (bool, error) {
	var keys [2]map[string]json.RawMessage
	for k, l := range []roundLine{a, b} {
		if err := json.Unmarshal(l.present(), &keys[k]); err != nil {
			return false, err
		}
		for _, key := range measuredKeys {
			delete(keys[k], key)
		}
	}
	if len(keys[0]) != len(keys[1]) {
		return false, nil
	}
	for key, value := range keys[0] {
		if !bytes.Equal(value, keys[1][key]) {
			return false, nil
		}
	}
	return true, nil
}
