package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"feddag/report"
	"feddag/torch"
)

// loadInitialWeights reads the file of --initial-weights, or its copy in the run directory if the run is resumed, and makes
// its weights the initial weights of all clients.
func (s *session) loadInitialWeights() (err error) {
	o := s.o
	if o.initialWeights == "" {
		return nil
	}
	path := ""
	if s.initial, path, err = s.input("initial-weights", o.initialWeights); err != nil {
		return fmt.Errorf("--initial-weights: %w", err) // an *os.PathError names the file
	}
	tensors, _, err := torch.ReadSafetensors(bytes.NewReader(s.initial))
	if err != nil {
		return fmt.Errorf("--initial-weights %s: %w", path, err)
	}
	if err := s.env.SetInitialWeights(tensors); err != nil {
		return usageError{fmt.Errorf("--initial-weights %s does not fit --model %s: %w", path, o.model, err)}
	}
	o.initialHash = contentHash(s.initial)
	return nil
}

// contentHash returns the SHA-256 of a file's content.
func contentHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// sameInitialWeights returns an error if the existing run began with other initial weights than the ones asked for.
func (c *cell) sameInitialWeights(dir *report.Dir) error {
	path := c.options.initialWeights
	if path == "" {
		return nil // agrees has checked that the run has none either
	}
	asked, err := os.ReadFile(path)
	if err != nil {
		return usagef("--initial-weights: %w", err)
	}
	was, err := os.ReadFile(dir.Path(report.InitialWeightsFile))
	if err != nil {
		return fmt.Errorf("the initial weights of %s: %w", c.dir, err)
	}
	if !bytes.Equal(was, asked) {
		return usagef("%s holds a run with other weights than %s has now: choose another --out, or move it away", c.dir, path)
	}
	return nil
}
