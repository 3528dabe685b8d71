package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"feddag/report"
)

// dealt is a partition, as far as comparing needs it.
type dealt struct {
	dataset, kind string
	params        json.RawMessage
	clients       int    // held out ones too
	dataHash      string // of the data set; empty if it does not say
	hash          string // of who holds what
	scenario      string // of what happens during the run: the file's text; empty for none
}

// digestFile stands for partition.json where only what comparing needs was kept of a run.
const digestFile = "partition-digest.json"

// digest is that file.
type digest struct {
	DataSet  string          `json:"data_set"`
	DataHash string          `json:"data_hash,omitempty"`
	Kind     string          `json:"kind"`
	Params   json.RawMessage `json:"params"`
	Clients  int             `json:"clients"`
	Hash     string          `json:"hash"` // SHA-256 of who holds what
}

func (d dealt) digest() digest {
	return digest{d.dataset, d.dataHash, d.kind, d.params, d.clients, d.hash}
}

// readDealt reads the run's partition, or its digest: all of it but its seed and parameters goes into the hash, whatever a
// kind of partition puts there.
func readDealt(dir *report.Dir) (d dealt, err error) {
	scenario, err := savedScenario(dir)
	if err != nil {
		return d, err
	}
	d.scenario = string(scenario)
	var file map[string]json.RawMessage
	switch err := dir.ReadJSON(partitionFile, &file); {
	case errors.Is(err, fs.ErrNotExist):
		var short digest
		if dir.ReadJSON(digestFile, &short) != nil {
			return d, err
		}
		if short.Kind == "" || short.Clients == 0 || short.Hash == "" {
			return d, fmt.Errorf("reading %s: not a partition's digest: it has no kind, clients or hash", dir.Path(digestFile))
		}
		d.dataset, d.dataHash, d.kind, d.params, d.clients, d.hash = short.DataSet, short.DataHash, short.Kind, short.Params, short.Clients, short.Hash
		return d, nil
	case err != nil:
		return d, err
	}
	bad := func(err error) error { return fmt.Errorf("reading %s: %w", dir.Path(partitionFile), err) }
	var clients []json.RawMessage
	for key, to := range map[string]any{"data_set": &d.dataset, "kind": &d.kind, "data_hash": &d.dataHash, "clients": &clients} {
		if raw, ok := file[key]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return d, bad(fmt.Errorf("%s: %w", key, err))
			}
		}
	}
	d.params, d.clients = file["params"], len(clients)
	if d.kind == "" || d.clients == 0 {
		return d, bad(errors.New("not a partition: it has no kind or no clients"))
	}
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(file)) {
		if slices.Contains([]string{"version", "kind", "seed", "params", "data_hash"}, key) {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, file[key]); err != nil {
			return d, bad(err)
		}
		fmt.Fprintf(h, "%s %d ", key, b.Len())
		h.Write(b.Bytes())
	}
	d.hash = hex.EncodeToString(h.Sum(nil))
	return d, nil
}

// savedScenario is the text of the run's scenario; nil without.
func savedScenario(dir *report.Dir) ([]byte, error) {
	text, err := os.ReadFile(dir.Path(scenarioFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// words names the partition with its parameters.
func (d dealt) words() string {
	params := d.parameters()
	var parts []string
	for _, p := range params {
		if p.Key != "kind" && p.Key != "clients" {
			parts = append(parts, strings.ReplaceAll(p.Key, "-", " ")+" "+p.Value)
		}
	}
	if parts == nil {
		return d.kind
	}
	return d.kind + " (" + strings.Join(parts, ", ") + ")"
}

// parameters are the partition's, by the names of their flags, in the order of the file; those of a kind alone come last.
func (d dealt) parameters() []report.Pair {
	dec := json.NewDecoder(bytes.NewReader(d.params))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var pairs []report.Pair
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return pairs
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return pairs
		}
		if extra, ok := value.(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(extra)) {
				pairs = append(pairs, report.Pair{Key: k, Value: fmt.Sprint(extra[k])})
			}
			continue
		}
		pairs = append(pairs, report.Pair{Key: strings.ReplaceAll(fmt.Sprint(key), "_", "-"), Value: fmt.Sprint(value)})
	}
	return pairs
}
