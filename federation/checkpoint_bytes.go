package federation

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
)

// checkpointBytes is a checkpoint in the form in which it is sent to another process of the run.
type checkpointBytes struct {
	Run     []byte // JSON, as in the file
	Vectors map[string][]float32
	Blobs   map[string][]byte
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (c *Checkpoint) MarshalBinary() ([]byte, error) {
	packed := *c
	packed.Clients = c.pack()
	run, err := json.Marshal(packed)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(checkpointBytes{run, c.vectors, c.blobs})
	return b.Bytes(), err
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler].
func (c *Checkpoint) UnmarshalBinary(raw []byte) error {
	var x checkpointBytes
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&x); err != nil {
		return fmt.Errorf("a checkpoint from another process: %w", err)
	}
	if err := json.Unmarshal(x.Run, c); err != nil {
		return fmt.Errorf("a checkpoint from another process: %w", err)
	}
	c.vectors, c.blobs = x.Vectors, x.Blobs
	if c.vectors == nil {
		c.vectors = map[string][]float32{}
	}
	return c.unpack()
}
