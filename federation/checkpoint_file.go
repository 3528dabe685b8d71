package federation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/atomicfile"
	"feddag/torch"
)

// checkpointFormat identifies the format of checkpoints. It changes when the checkpoints of older programs can no longer be read.
const checkpointFormat = "feddag-checkpoint-2"

// Checkpoint is the state of a run after some rounds. On disk it is a safetensors file with the algorithm's vectors, whose
// metadata hold the other fields as JSON, and one file for each of the algorithm's blobs.
type Checkpoint struct {
	Algorithm string            `json:"algorithm"` // registered name
	Config    string            `json:"config"`    // hash of the configuration of the run
	Rounds    int               `json:"rounds"`    // number of complete rounds
	Seconds   map[Stage]float64 `json:"seconds"`   // wall time of each stage
	Ledger    *Ledger           `json:"ledger"`
	Warnings  []warning         `json:"warnings,omitempty"`
	Best      []PrePost         `json:"-"` // see [Result]; in Clients
	Last      []PrePost         `json:"-"` // see [Result]; in Clients
	Clients   clientBytes       `json:"clients"`
	Losses    lossHistory       `json:"losses"`          // zero in checkpoints of earlier programs
	Meta      json.RawMessage   `json:"meta,omitempty"`  // see [Saved]
	Blobs     map[string]string `json:"blobs,omitempty"` // file name of each blob of the algorithm

	vectors map[string][]float32 // see [Saved]
	blobs   map[string][]byte    // see [Saved]
}

// write replaces the checkpoint at path. If the program is killed meanwhile, either the old checkpoint or the new one remains.
func (c *Checkpoint) write(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("checkpoint %s: %w", path, pathless(err))
		}
	}()
	dir := filepath.Dir(path)
	if c.Blobs, err = writeBlobs(dir, c.blobs); err != nil {
		return err
	}
	c.Clients = c.pack()
	meta, err := json.Marshal(c)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(c.vectors))
	for name := range c.vectors {
		names = append(names, name)
	}
	slices.Sort(names)
	var tensors []torch.NamedTensor
	for _, name := range names {
		tensors = append(tensors, torch.NamedTensor{Name: name, Shape: []int{len(c.vectors[name])}, Data: c.vectors[name]})
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		return torch.WriteSafetensors(w, tensors, map[string]string{
			"format": checkpointFormat, "run": string(meta), "sha256": checksum(string(meta), tensors),
		})
	})
	if err != nil {
		return err
	}
	return removeOldBlobs(dir, c.Blobs)
}

// checksum returns the SHA-256 of the content of a checkpoint. The tensors are in ascending order of their names.
func checksum(meta string, tensors []torch.NamedTensor) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(meta), meta)
	raw := make([]byte, 0, 1<<16)
	for _, t := range tensors {
		fmt.Fprintf(h, " %q %d ", t.Name, len(t.Data))
		for part := range slices.Chunk(t.Data, cap(raw)/4) {
			raw = raw[:0]
			for _, v := range part {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
			}
			h.Write(raw)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadCheckpoint reads a checkpoint and its blobs. It returns an error that names the file if one is damaged or has another
// format. A missing file is an error that satisfies errors.Is(err, fs.ErrNotExist).
func ReadCheckpoint(path string) (*Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, pathless(err))
	}
	defer f.Close()
	tensors, meta, err := torch.ReadSafetensors(f)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) { // the disk, not the content
		return nil, fmt.Errorf("checkpoint %s: %w", path, failed.Err)
	} else if err != nil {
		return nil, fmt.Errorf("checkpoint %s is damaged or half written: %w", path, err)
	}
	if format := meta["format"]; format != checkpointFormat {
		return nil, fmt.Errorf("checkpoint %s has format %q, but this program reads %q", path, format, checkpointFormat)
	}
	slices.SortFunc(tensors, func(a, b torch.NamedTensor) int { return strings.Compare(a.Name, b.Name) })
	// Earlier programs wrote no checksum.
	if sum, ok := meta["sha256"]; ok && sum != checksum(meta["run"], tensors) {
		return nil, fmt.Errorf("checkpoint %s is damaged: its content does not match its checksum", path)
	}
	c := &Checkpoint{vectors: map[string][]float32{}}
	if err := json.Unmarshal([]byte(meta["run"]), c); err != nil {
		return nil, fmt.Errorf("checkpoint %s is damaged: %w", path, err)
	}
	if err := c.unpack(); err != nil {
		return nil, fmt.Errorf("checkpoint %s is damaged: %w", path, err)
	}
	for _, t := range tensors {
		c.vectors[t.Name] = t.Data
	}
	if c.blobs, err = readBlobs(filepath.Dir(path), c.Blobs); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return c, nil
}

// fits returns an error unless the checkpoint belongs to a run of this algorithm, configuration and number of clients.
func (c *Checkpoint) fits(algorithm, config string, clients int) error {
	switch {
	case c.Algorithm != algorithm:
		return fmt.Errorf("it was written by algorithm %s, but this run uses %s", c.Algorithm, algorithm)
	case c.Config != config:
		return fmt.Errorf("it belongs to another configuration (%.12s, but this run has %.12s)", c.Config, config)
	case c.Rounds < 0 || c.Ledger == nil || len(c.Ledger.Clients) != clients || len(c.Ledger.Work) != clients || len(c.Best) != clients || len(c.Last) != clients:
		return fmt.Errorf("it is not from a run of %d clients", clients)
	}
	return nil
}

// pathless returns the cause of a file system error without the path, for messages that name the path already. An error that says
// more than that is returned unchanged.
func pathless(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}
