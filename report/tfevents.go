package report

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Events writes scalars for TensorBoard: one events.out.tfevents.* file, in
// TFRecord framing, of Event protocol buffers.
type Events struct {
	f    *os.File
	w    *bufio.Writer
	path string
}

// eventFiles numbers the files of this process, because their names only contain whole seconds.
var eventFiles atomic.Int64

// NewEvents starts a new events file in dir. TensorBoard reads the files of a directory in the order of their names, so a
// resumed run starts another file and calls Resume.
func NewEvents(dir string) (*Events, error) {
	now := time.Now()
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", now.Unix(), host, os.Getpid(), eventFiles.Add(1)-1)
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", path, cause(err))
	}
	e := &Events{f: f, w: bufio.NewWriter(f), path: path}
	// Every file begins with its version.
	if err := e.event(0, 3, []byte("brain.Event:2")); err != nil {
		f.Close()
		return nil, err
	}
	return e, e.Flush()
}

// Scalar adds a value of the series tag at step.
func (e *Events) Scalar(tag string, step int64, value float64) error {
	// Summary.Value: tag = 1, simple_value = 2 (float).
	v := appendBytes(nil, 1, []byte(tag))
	v = append(v, 2<<3|5)
	v = binary.LittleEndian.AppendUint32(v, math.Float32bits(float32(value)))
	// Summary: value = 1, repeated. Event: summary = 5.
	return e.event(step, 5, appendBytes(nil, 1, v))
}

// Round adds the measures of r at step r.Round, and flushes. Values that were not measured are left out.
func (e *Events) Round(r Round) error {
	for _, s := range r.Scalars() {
		if math.IsNaN(s.Value) {
			continue
		}
		if err := e.Scalar(s.Tag, int64(r.Round), s.Value); err != nil {
			return err
		}
	}
	return e.Flush()
}

// Scalar is a measure of a round for programs that plot curves.
type Scalar struct {
	Tag   string
	Value float64 // NaN if it was not measured
}

// Scalars returns the measures of a round.
func (r Round) Scalars() []Scalar {
	return []Scalar{
		{"loss/train", r.TrainLoss},
		{"balanced_accuracy/all_clients_before_local_training", r.Pre.Balanced.Mean},
		{"balanced_accuracy/cohort_before_local_training", r.CohortPre.Balanced.Mean},
		{"balanced_accuracy/cohort_after_local_training", r.CohortPost.Balanced.Mean},
		{"accuracy/all_clients_before_local_training", r.Pre.Accuracy.Mean},
		{"accuracy/cohort_before_local_training", r.CohortPre.Accuracy.Mean},
		{"accuracy/cohort_after_local_training", r.CohortPost.Accuracy.Mean},
		{"traffic/bytes_up", float64(r.BytesUp)},
		{"traffic/bytes_down", float64(r.BytesDown)},
		{"time/seconds", r.Seconds},
	}
}

// Resume tells TensorBoard that the run starts over at step, which invalidates the values of earlier files from that step on.
func (e *Events) Resume(step int64) error {
	// SessionLog: status = 1, START = 1. Event: session_log = 7.
	return e.event(step, 7, []byte{1 << 3, 1})
}

// Flush writes the added values to the file.
func (e *Events) Flush() error {
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", e.path, cause(err))
	}
	return nil
}

// Close flushes, syncs and closes the file.
func (e *Events) Close() error {
	err := e.Flush()
	if serr := e.f.Sync(); err == nil && serr != nil {
		err = fmt.Errorf("writing %s: %w", e.path, cause(serr))
	}
	if cerr := e.f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("closing %s: %w", e.path, cause(cerr))
	}
	return err
}

// event writes one record: an Event (wall_time = 1, step = 2) with the one
// length-delimited field given.
func (e *Events) event(step int64, field byte, content []byte) error {
	data := []byte{1<<3 | 1}
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(time.Now().UnixMicro())/1e6))
	data = binary.AppendUvarint(append(data, 2<<3), uint64(step))
	data = appendBytes(data, field, content)

	// A record consists of the length, its checksum, the data, and its checksum.
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, masked(record))
	record = append(record, data...)
	record = binary.LittleEndian.AppendUint32(record, masked(data))
	if _, err := e.w.Write(record); err != nil {
		return fmt.Errorf("writing %s: %w", e.path, cause(err))
	}
	return nil
}

// appendBytes appends a length-delimited protocol buffer field.
func appendBytes(b []byte, field byte, content []byte) []byte {
	b = append(b, field<<3|2)
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns TFRecord's checksum of b: CRC-32C, rotated and offset because the CRC of data that contains CRCs would be
// unreliable.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
