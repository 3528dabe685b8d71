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
	"slices"

	"feddag/internal/atomicfile"
)

// Round is one line of metrics.jsonl.
type Round struct {
	Round int `json:"round"` // number, from 1

	// TrainLoss is the mean over the cohort of each client's mean
	// cross-entropy in its last local epoch.
	TrainLoss float64 `json:"train_loss"`

	// Pre is the score over all clients, each on its own test set with the model that the server assigns to it, before local
	// training.
	Pre Score `json:"pre"`

	// CohortPre and CohortPost are the scores over the clients sampled in this round, before and after this round's local
	// training.
	CohortPre  Score `json:"cohort_pre"`
	CohortPost Score `json:"cohort_post"`

	BytesUp   int64   `json:"bytes_up"`   // clients to server, this round
	BytesDown int64   `json:"bytes_down"` // server to clients, this round
	Seconds   float64 `json:"seconds"`    // wall time of this round, evaluation included
	Samples   int64   `json:"samples"`    // training samples processed, counting every epoch
	// TrainingSeconds is the part of Seconds that was spent in local training and aggregation. It is 0 in runs of versions
	// that did not record it.
	TrainingSeconds float64 `json:"training_seconds,omitempty"`
	Clients         []int   `json:"clients"` // ids of the clients that trained, ascending

	// Dropped are the clients whose training diverged and that were therefore left out of the round, as if they had not been
	// sampled.
	Dropped []int `json:"dropped,omitempty"`

	// Stragglers are the clients that did only a part of their local epochs. Unanswered are the clients that received a model
	// and sent nothing back. Both are in ascending order.
	Stragglers []int `json:"stragglers,omitempty"`
	Unanswered []int `json:"unanswered,omitempty"`

	// The computation of the clients in samples: every epoch counts, and every model if there are several.
	TrainingSamples int64 `json:"training_samples"` // samples of forward and backward passes
	ForwardSamples  int64 `json:"forward_samples"`  // samples of forward passes only, to choose a model or to select clients

	// Clusters after the round, for a method with clusters. The index compares them with the true groups of the partition; it
	// is nil if there are none.
	Clusters          *int     `json:"clusters,omitempty"`
	AdjustedRandIndex *float64 `json:"adjusted_rand_index,omitempty"`

	// LearningRate is the clients' learning rate in this round if there is a schedule, or 0 if it is the same in all rounds.
	LearningRate float64 `json:"learning_rate,omitempty"`

	// Notes are the values that the algorithm adds to the round, by name.
	Notes map[string]float64 `json:"notes,omitempty"`
}

// sampled returns the clients that were sampled in the round, ascending: those that trained, diverged, or did not answer.
func (r Round) sampled() []int {
	all := slices.Concat(r.Clients, r.Dropped, r.Unanswered)
	slices.Sort(all)
	return all
}

// Score is a pair of accuracies over a set of clients.
type Score struct {
	Balanced Stat `json:"balanced_accuracy"` // mean of per-class recalls
	Accuracy Stat `json:"accuracy"`          // share of samples classified correctly
}

// Stat holds a mean and a standard deviation over clients, in percent.
type Stat struct {
	Mean float64
	Std  float64
}

// NoScore is a score that was not measured. It is null in JSON.
var NoScore = Score{Stat{math.NaN(), math.NaN()}, Stat{math.NaN(), math.NaN()}}

// NewStat returns the mean and the population standard deviation of the values that are not NaN. Both are NaN if there are no
// such values.
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

// statJSON is the JSON form of a Stat.
type statJSON struct {
	Mean Float `json:"mean"`
	Std  Float `json:"std"`
}

// MarshalJSON writes null for a Stat that was not measured.
func (s Stat) MarshalJSON() ([]byte, error) {
	return json.Marshal(statJSON{Float(s.Mean), Float(s.Std)})
}

// UnmarshalJSON reads null and missing fields as NaN.
func (s *Stat) UnmarshalJSON(raw []byte) error {
	x := statJSON{Float(math.NaN()), Float(math.NaN())}
	err := json.Unmarshal(raw, &x)
	*s = Stat{float64(x.Mean), float64(x.Std)}
	return err
}

// plainRound has the fields of a Round, but not its methods.
type plainRound Round

// roundJSON is the JSON form of a Round. Its own fields replace the fields of the same name in plainRound, at the same
// position in the line.
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

// AppendMetrics adds v, a Round or an object with the key "round", to metrics.jsonl as one line, and returns when it is on
// the disk. If the disk is full, the file is not changed. The line of a round must be written before the checkpoint of the
// round, so that no checkpoint is ahead of the metrics.
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

// TruncateMetrics removes all lines after the given number of rounds, and an incomplete last line, from metrics.jsonl and
// assignments.jsonl, for a run that resumes after that round. It converts lines of an earlier version to the present one. It
// does not write a file that needs no change or does not exist.
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

// ReadMetrics reads metrics.jsonl. It ignores an incomplete last line, and returns no rounds if the file does not exist.
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
