package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"feddag/internal/atomicfile"
)

// Round is one line of metrics.jsonl.
type Round struct {
	Round int `json:"round"` // number, from 1

	// TrainLoss is the mean over the cohort of each client's mean
	// cross-entropy in its last local epoch.
	TrainLoss float64 `json:"train_loss"`

	// Pre is over every client: its test set, with the model the server
	// assigns to it, before local training.
	Pre Score `json:"pre"`

	// CohortPre and CohortPost are over the clients sampled in this round
	// only, before and after this round's local training.
	CohortPre  Score `json:"cohort_pre"`
	CohortPost Score `json:"cohort_post"`

	BytesUp   int64   `json:"bytes_up"`   // clients to server, this round
	BytesDown int64   `json:"bytes_down"` // server to clients, this round
	Seconds   float64 `json:"seconds"`    // wall time of this round, evaluation included
	Samples   int64   `json:"samples"`    // training samples processed, every epoch counted
	// TrainingSeconds is the part of Seconds that is local training and aggregation; 0 in runs of programs that did not record it.
	TrainingSeconds float64 `json:"training_seconds,omitempty"`
	Clients         []int   `json:"clients"` // those who trained, ascending

	// Dropped are those whose training diverged and who were left out of the
	// round for it, as if they had not been sampled.
	Dropped []int `json:"dropped,omitempty"`

	// Stragglers are those that did only a part of their local epochs, and
	// Unanswered those that received a model and sent nothing, ascending.
	Stragglers []int `json:"stragglers,omitempty"`
	Unanswered []int `json:"unanswered,omitempty"`

	// What the clients computed for the method, in samples through one model:
	// every epoch counts, and every model of several.
	TrainingSamples int64 `json:"training_samples"` // forward and backward
	ForwardSamples  int64 `json:"forward_samples"`  // forward only: choosing a model, being chosen

	// Of a method that clusters, after the round. The index compares with the
	// partition's true groups; nil where there are none.
	Clusters          *int     `json:"clusters,omitempty"`
	AdjustedRandIndex *float64 `json:"adjusted_rand_index,omitempty"`

	// LearningRate is that of the clients in this round where a schedule
	// changes it; 0 where it is the same in all rounds.
	LearningRate float64 `json:"learning_rate,omitempty"`

	// Notes are the values that the algorithm adds to the round, by name.
	Notes map[string]float64 `json:"notes,omitempty"`
}

// Score is a pair of accuracies over a set of clients.
type Score struct {
	Balanced Stat `json:"balanced_accuracy"` // mean of per-class recalls
	Accuracy Stat `json:"accuracy"`          // share of samples
}

// Stat is a mean and standard deviation over clients, in percent.
type Stat struct {
	Mean float64
	Std  float64
}

// NoScore is a score that was not measured. It is null in JSON.
var NoScore = Score{Stat{math.NaN(), math.NaN()}, Stat{math.NaN(), math.NaN()}}

// NewStat is the mean and population standard deviation of values, skipping
// those that are NaN; NaN where none is left.
func NewStat(values []float64) Stat {
	var sum float64
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return Stat{math.NaN(), math.NaN()}
	}
	mean := sum / float64(n)
	var square float64
	for _, v := range values {
		if !math.IsNaN(v) {
			square += (v - mean) * (v - mean)
		}
	}
	return Stat{mean, math.Sqrt(square / float64(n))}
}

// statJSON is a Stat in a file.
type statJSON struct {
	Mean Float `json:"mean"`
	Std  Float `json:"std"`
}

// MarshalJSON writes null for what was not measured.
func (s Stat) MarshalJSON() ([]byte, error) {
	return json.Marshal(statJSON{Float(s.Mean), Float(s.Std)})
}

// UnmarshalJSON reads null, and what is not there, as NaN.
func (s *Stat) UnmarshalJSON(raw []byte) error {
	x := statJSON{Float(math.NaN()), Float(math.NaN())}
	err := json.Unmarshal(raw, &x)
	*s = Stat{float64(x.Mean), float64(x.Std)}
	return err
}

// plainRound has the fields of a Round and none of its methods.
type plainRound Round

// roundJSON is a Round in a file. Its own fields hide those of the same name
// in plainRound, and stand in the same place of the line.
type roundJSON struct {
	Version   int   `json:"version"`
	Round     *int  `json:"round"`
	TrainLoss Float `json:"train_loss"`
	*plainRound
	Notes map[string]Float `json:"notes,omitempty"`
}

// MarshalJSON writes null for numbers that are not finite.
func (r Round) MarshalJSON() ([]byte, error) {
	x := roundJSON{Version: linesVersion, Round: &r.Round, TrainLoss: Float(r.TrainLoss), plainRound: (*plainRound)(&r)}
	for name, v := range r.Notes {
		if x.Notes == nil {
			x.Notes = make(map[string]Float, len(r.Notes))
		}
		x.Notes[name] = Float(v)
	}
	return Marshal(x)
}

// UnmarshalJSON reads null as NaN. A round without a number is an error.
func (r *Round) UnmarshalJSON(raw []byte) error {
	x := roundJSON{TrainLoss: Float(math.NaN()), plainRound: (*plainRound)(r)}
	if err := json.Unmarshal(raw, &x); err != nil {
		return err
	}
	if x.Round == nil {
		return errors.New(`no "round"`)
	}
	r.Round, r.TrainLoss, r.Notes = roundNumber(x.Version, *x.Round), float64(x.TrainLoss), nil
	for name, v := range x.Notes {
		if r.Notes == nil {
			r.Notes = make(map[string]float64, len(x.Notes))
		}
		r.Notes[name] = float64(v)
	}
	return nil
}

func orNaN(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

// AppendMetrics adds v, a Round or an object with the key "round", to
// metrics.jsonl as one line, and returns when it is on the disk. When the disk
// is full the file stays as it was. A round's line goes before the round's
// checkpoint, so that no checkpoint is ahead of the metrics.
func (d *Dir) AppendMetrics(v any) error {
	path := d.Path(MetricsFile)
	line, err := Marshal(v)
	if err != nil {
		return fmt.Errorf("appending to %s: %w", path, err)
	}
	if err := appendLine(path, append(line, '\n')); err != nil {
		return fmt.Errorf("appending to %s: %w", path, cause(err))
	}
	return nil
}

func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err = f.Write(line); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(st.Size()))
	}
	if st.Size() == 0 {
		if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return f.Close()
}

// TruncateMetrics keeps exactly the lines of the first rounds, of metrics.jsonl and assignments.jsonl, for a run that resumes
// after that number, and drops a half-written last line. Lines of an earlier version are brought to the present one. A file that
// needs no change, or is not there, is left alone.
func (d *Dir) TruncateMetrics(rounds int) error {
	return errors.Join(d.truncate(MetricsFile, rounds), d.truncate(AssignmentsFile, rounds))
}

func (d *Dir) truncate(name string, rounds int) error {
	path := d.Path(name)
	raw, lines, err := d.roundLines(name)
	if err != nil {
		return err
	}
	var keep bytes.Buffer
	for _, l := range lines {
		if l.written() <= rounds {
			keep.Write(l.present())
			keep.WriteByte('\n')
		}
	}
	if bytes.Equal(raw, keep.Bytes()) {
		return nil
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(keep.Bytes())
		return err
	})
	if err != nil {
		return fmt.Errorf("truncating %s to %d rounds: %w", path, rounds, cause(err))
	}
	return nil
}

// ReadMetrics reads metrics.jsonl; a half-written last line is left out, and a
// file that is not there has no rounds.
func (d *Dir) ReadMetrics() ([]Round, error) {
	_, lines, err := d.roundLines(MetricsFile)
	if err != nil {
		return nil, err
	}
	rounds := make([]Round, len(lines))
	for i, l := range lines {
		if err := json.Unmarshal(l.raw, &rounds[i]); err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", d.Path(MetricsFile), i+1, err)
		}
	}
	return rounds, nil
}
