package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/atomicfile"
	"feddag/torch"
)

// checkpointFormat changes when an older program's checkpoints can no longer be read.
const checkpointFormat = "feddag-checkpoint-2"

// Checkpoint is a run after some rounds: a safetensors file of the algorithm's vectors, with the rest as metadata, and a
// file for each blob.
type Checkpoint struct {
	Algorithm string             `json:"algorithm"`
	Config    string             `json:"config"` // hash of the configuration it belongs to
	Rounds    int                `json:"rounds"` // complete
	Seconds   map[string]float64 `json:"seconds"`
	Ledger    *Ledger            `json:"ledger"`
	Best      []PrePost          `json:"-"`
	Last      []PrePost          `json:"-"`
	Clients   clientBytes        `json:"clients"`
	Meta      json.RawMessage    `json:"meta,omitempty"`  // the algorithm's
	Blobs     map[string]string  `json:"blobs,omitempty"` // file of each of the algorithm's

	vectors map[string][]float32
	blobs   map[string][]byte
}

// PrePost is a client's score before and after local training.
type PrePost struct {
	Pre, Post Score
}

// write replaces the file at path. A kill at any moment leaves the old one or the new.
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
		return torch.WriteSafetensors(w, tensors, map[string]string{"format": checkpointFormat, "run": string(meta)})
	})
	if err != nil {
		return err
	}
	return dropBlobs(dir, c.Blobs)
}

// ReadCheckpoint reads a checkpoint. A missing file is an error that satisfies errors.Is(err, fs.ErrNotExist).
func ReadCheckpoint(path string) (*Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, pathless(err))
	}
	defer f.Close()
	tensors, meta, err := torch.ReadSafetensors(f)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s is damaged or half written: %w", path, err)
	}
	if format := meta["format"]; format != checkpointFormat {
		return nil, fmt.Errorf("checkpoint %s has format %q, this program reads %q", path, format, checkpointFormat)
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

// fits returns an error unless the checkpoint belongs to this run.
func (c *Checkpoint) fits(algorithm, config string, clients int) error {
	switch {
	case c.Algorithm != algorithm:
		return fmt.Errorf("it was written by algorithm %s, this run is %s", c.Algorithm, algorithm)
	case c.Config != config:
		return fmt.Errorf("it belongs to another configuration (%.12s, this run is %.12s)", c.Config, config)
	case c.Rounds < 0 || c.Ledger == nil || len(c.Ledger.Clients) != clients || len(c.Ledger.Work) != clients || len(c.Best) != clients || len(c.Last) != clients:
		return fmt.Errorf("it is of other than %d clients", clients)
	}
	return nil
}

// pathless drops the path from a file system error, for messages that have it.
func pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && !strings.Contains(err.Error(), "\n") {
		return p.Err
	}
	return err
}
