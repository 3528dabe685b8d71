package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"feddag/federation"
	"feddag/internal/mlflow"
	"feddag/report"
	"feddag/similarity"
	"feddag/torch"
)

// defaultExperiment is the name of the experiment on an MLflow server if MLFLOW_EXPERIMENT_NAME is not set.
const defaultExperiment = "feddag"

// hurry is how long an interrupted run waits for an MLflow server at its end.
const hurry = 2 * time.Second

// tracker is the observer that logs a run to an MLflow server. Everything is sent in the background. A server that is slow or
// down causes a warning and does not delay the run.
type tracker struct {
	s      *session
	client *mlflow.Client
	queue  *mlflow.Queue
	warn   func(string)
	told   string // the last warning

	run mlflow.Run // on the server; only the requests in the queue use it
}

// newTracker returns an observer for the server that MLFLOW_TRACKING_URI names. It returns nil if the variable is not set,
// or, with a warning, if the server cannot be used.
func newTracker(s *session, warn func(string)) (*tracker, error) {
	address := os.Getenv(mlflow.URIVariable)
	if address == "" {
		return nil, nil
	}
	client, err := mlflow.NewClient(address)
	if err != nil {
		warn(fmt.Sprintf("nothing is logged to MLflow: %v", err))
		return nil, nil
	}
	t := &tracker{s: s, client: client, queue: mlflow.NewQueue(), warn: warn}
	return t, t.begin()
}

// begin logs what is known before the rounds, and those earlier rounds of a resumed run that the server does not have.
func (t *tracker) begin() error {
	before, err := t.s.dir.ReadMLflow()
	if err != nil {
		return err
	}
	if before != nil && before.Server == t.client.Address() {
		t.run = before.Run
		t.add(func(ctx context.Context) error {
			err := t.client.Update(ctx, t.run.ID, mlflow.Running, time.Time{})
			if mlflow.Missing(err) { // it was deleted
				return t.create(ctx)
			}
			return err
		})
		return nil
	}
	rounds, err := t.s.dir.ReadMetrics()
	if err != nil {
		return err
	}
	params := map[string]string{}
	for _, p := range t.s.o.pairs() {
		params[p.Key] = p.Value
	}
	t.queue.Add(t.create)
	t.add(func(ctx context.Context) error { return t.client.LogParams(ctx, t.run.ID, params) })
	for _, r := range rounds {
		t.log(r)
	}
	return nil
}

// create begins the run on the server and records it in the run directory.
func (t *tracker) create(ctx context.Context) error {
	experiment, err := t.client.Experiment(ctx, cmp.Or(os.Getenv(mlflow.ExperimentVariable), defaultExperiment))
	if err != nil {
		return err
	}
	s := t.s
	host, _ := os.Hostname()
	path, err := filepath.Abs(s.dir.Path())
	if err != nil {
		path = s.dir.Path()
	}
	run, err := t.client.CreateRun(ctx, experiment, filepath.Base(path), s.started, map[string]string{
		"mlflow.source.name": "feddag", "mlflow.source.type": "LOCAL", "mlflow.user": os.Getenv("USER"),
		"algorithm": s.o.algorithm, "dataset": s.set.Name, "label": s.o.label, "feddag": revision(), "host": host, "directory": path,
	})
	if err != nil {
		return err
	}
	t.run = run
	return s.dir.WriteMLflow(report.MLflow{Server: t.client.Address(), Run: run})
}

// add puts a request for the run into the queue. The request is skipped if the run could not be created.
func (t *tracker) add(task func(context.Context) error) {
	t.queue.Add(func(ctx context.Context) error {
		if t.run.ID == "" {
			return nil // the error has been reported
		}
		return task(ctx)
	})
}

// log puts the metrics of a round into the queue.
func (t *tracker) log(r report.Round) {
	scalars := r.Scalars()
	if r.Clusters != nil {
		scalars = append(scalars, report.Scalar{Tag: "clusters/count", Value: float64(*r.Clusters)})
	}
	if r.AdjustedRandIndex != nil {
		scalars = append(scalars, report.Scalar{Tag: "clusters/adjusted_rand_index", Value: *r.AdjustedRandIndex})
	}
	now := time.Now().UnixMilli()
	var metrics []mlflow.Metric
	for _, s := range scalars {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			metrics = append(metrics, mlflow.Metric{Key: s.Tag, Value: s.Value, Timestamp: now, Step: int64(r.Round)})
		}
	}
	t.add(func(ctx context.Context) error { return t.client.LogMetrics(ctx, t.run.ID, metrics) })
}

// Round implements federation.Observer.
func (t *tracker) Round(result federation.RoundResult) error {
	t.log(report.NewRound(result, t.s.env.Clients))
	t.tell()
	return nil
}

// tell warns of a problem that occurred since the last call.
func (t *tracker) tell() {
	err := t.queue.Problem()
	if err == nil || err.Error() == t.told {
		return
	}
	t.told = err.Error()
	t.warn(fmt.Sprintf("MLflow at %s: %v; the run goes on, and its directory has everything", t.client.Address(), err))
}

// trackedFiles are the files that are logged as artifacts at the end of a run, unless they are larger than maxTracked bytes.
var trackedFiles = []string{report.ConfigFile, report.EnvFile, report.SummaryFile, report.ClientsFile, report.ClustersFile, report.MetricsFile, report.HTMLFile}

const maxTracked = 8 << 20

// end logs the artifacts and the state of a run that ended with err, and waits for the server, but not for long.
func (t *tracker) end(err error) {
	if t == nil {
		return
	}
	status, wait := mlflow.Finished, t.client.Timeout
	switch {
	case errors.Is(err, context.Canceled):
		status, wait = mlflow.Killed, min(wait, hurry)
	case err != nil:
		status = mlflow.Failed
	}
	if err == nil {
		for _, name := range trackedFiles {
			t.upload(name)
		}
	}
	now := time.Now()
	t.add(func(ctx context.Context) error { return t.client.Update(ctx, t.run.ID, status, now) })
	unsent := t.queue.Close(wait)
	t.tell()
	if unsent > 0 {
		t.warn(fmt.Sprintf("MLflow at %s: %d requests were not sent", t.client.Address(), unsent))
	}
}

// upload puts a file of the run into the queue. A file that is missing or too large is left out.
func (t *tracker) upload(name string) {
	path := t.s.dir.Path(name)
	t.add(func(ctx context.Context) error {
		if !t.run.TakesArtifacts() {
			return nil
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() > maxTracked {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return t.client.LogArtifact(ctx, t.run, name, content)
	})
}

// Phase implements federation.Observer.
func (t *tracker) Phase(federation.Progress) {}

// Weights implements federation.Observer.
func (t *tracker) Weights(string, []torch.NamedTensor) error { return nil }

// Clustered implements federation.Observer.
func (t *tracker) Clustered(*similarity.Result) error { return nil }

// Ready implements federation.Observer.
func (t *tracker) Ready([]federation.Score) error { return nil }
