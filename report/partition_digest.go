package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"feddag/federation/data"
)

// DigestFile replaces partition.json in runs of which only the files for comparisons were kept.
const DigestFile = "partition-digest.json"

// PartitionDigest is the part of a partition that is needed to compare runs.
type PartitionDigest struct {
	Dataset  string          `json:"data_set"`
	DataHash string          `json:"data_hash,omitempty"` // hash of the data set, see SameData; empty if the partition does not have it
	Kind     string          `json:"kind"`
	Params   json.RawMessage `json:"params"`
	Clients  int             `json:"clients"` // number of clients, including held-out ones
	Hash     string          `json:"hash"`    // SHA-256 of the assignment of images to clients and of the data set's name

	// Holders is the SHA-256 of only the assignment of images to clients. It is empty in a digest of an earlier version.
	Holders string `json:"holders,omitempty"`
}

// SameData returns an error unless p and q divide the same data set. If both have the hash of the content, only this hash is
// compared; otherwise the names are compared, and the hashes of the labels if both have them.
func (p PartitionDigest) SameData(q PartitionDigest) error {
	byContent := data.IsContentHash(p.DataHash) && data.IsContentHash(q.DataHash)
	switch {
	case byContent && p.DataHash != q.DataHash:
		return fmt.Errorf("the content of %s has the hash %s, that of %s has %s", p.Dataset, data.ShortHash(p.DataHash), q.Dataset, data.ShortHash(q.DataHash))
	case byContent:
		return nil
	case p.Dataset != q.Dataset:
		return fmt.Errorf("one is %s, the other %s", p.Dataset, q.Dataset)
	case p.DataHash != "" && q.DataHash != "" && data.IsContentHash(p.DataHash) == data.IsContentHash(q.DataHash) && p.DataHash != q.DataHash:
		return fmt.Errorf("they are different copies of %s: their labels have the hashes %s and %s", p.Dataset, data.ShortHash(p.DataHash), data.ShortHash(q.DataHash))
	}
	return nil
}

// SameHolders reports whether the clients of p and q hold the same images, if both are of the same data set.
func (p PartitionDigest) SameHolders(q PartitionDigest) bool {
	return p.Hash == q.Hash || p.Holders != "" && p.Holders == q.Holders && data.IsContentHash(p.DataHash) && p.DataHash == q.DataHash
}

// ReadPartitionDigest reads the digest of the run's partition, or computes it from partition.json. The hash covers everything
// in that file except its seed and parameters.
func (d *Dir) ReadPartitionDigest() (p PartitionDigest, err error) {
	var file map[string]json.RawMessage
	switch err := d.ReadJSON(PartitionFile, &file); {
	case errors.Is(err, fs.ErrNotExist):
		if d.ReadJSON(DigestFile, &p) != nil {
			return p, err
		}
		if p.Kind == "" || p.Clients == 0 || p.Hash == "" {
			return p, fmt.Errorf("reading %s: not a partition's digest: it has no kind, clients or hash", d.Path(DigestFile))
		}
		return p, nil
	case err != nil:
		return p, err
	}
	if p, err = newPartitionDigest(file); err != nil {
		return p, fmt.Errorf("reading %s: %w", d.Path(PartitionFile), err)
	}
	return p, nil
}

// newPartitionDigest computes the digest of a partition.json.
func newPartitionDigest(file map[string]json.RawMessage) (p PartitionDigest, err error) {
	var clients []json.RawMessage
	for key, to := range map[string]any{"data_set": &p.Dataset, "kind": &p.Kind, "data_hash": &p.DataHash, "clients": &clients} {
		if raw, ok := file[key]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return p, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	p.Params, p.Clients = file["params"], len(clients)
	if p.Kind == "" || p.Clients == 0 {
		return p, errors.New("not a partition: it has no kind or no clients")
	}
	whole, holders := sha256.New(), sha256.New()
	for _, key := range slices.Sorted(maps.Keys(file)) {
		if slices.Contains([]string{"version", "kind", "seed", "params", "data_hash"}, key) {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, file[key]); err != nil {
			return p, err
		}
		to := io.MultiWriter(whole, holders)
		if key == "data_set" {
			to = whole
		}
		fmt.Fprintf(to, "%s %d ", key, b.Len())
		to.Write(b.Bytes())
	}
	p.Hash, p.Holders = fmt.Sprintf("%x", whole.Sum(nil)), fmt.Sprintf("%x", holders.Sum(nil))
	return p, nil
}

// String returns the kind of partition with its parameters.
func (p PartitionDigest) String() string {
	var parts []string
	for _, x := range p.Parameters() {
		if x.Key != "kind" && x.Key != "clients" {
			parts = append(parts, strings.ReplaceAll(x.Key, "-", " ")+" "+x.Value)
		}
	}
	if parts == nil {
		return p.Kind
	}
	return p.Kind + " (" + strings.Join(parts, ", ") + ")"
}

// Parameters returns the parameters of the partition with the names of their flags, in the order of the file. Parameters that
// only one kind of partition has come last.
func (p PartitionDigest) Parameters() []Pair {
	dec := json.NewDecoder(bytes.NewReader(p.Params))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var pairs []Pair
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
				pairs = append(pairs, Pair{Key: k, Value: fmt.Sprint(extra[k])})
			}
			continue
		}
		pairs = append(pairs, Pair{Key: strings.ReplaceAll(fmt.Sprint(key), "_", "-"), Value: fmt.Sprint(value)})
	}
	return pairs
}
