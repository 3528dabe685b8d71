package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"feddag/internal/mlflow"
	"feddag/report"
)

// fakeMLflow is a tracking server that keeps the data that it receives.
type fakeMLflow struct {
	mu       sync.Mutex
	params   map[string]string
	tags     map[string]string
	steps    map[string][]int64           // steps at which each metric was logged
	values   map[int64]map[string]float64 // metrics by step and key
	files    []string
	statuses []string
	runs     int
}

func newFakeMLflow(t *testing.T) (*fakeMLflow, string) {
	t.Helper()
	f := &fakeMLflow{params: map[string]string{}, tags: map[string]string{}, steps: map[string][]int64{}, values: map[int64]map[string]float64{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

// ServeHTTP implements http.Handler.
func (f *fakeMLflow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var request struct {
		Metrics []struct {
			Key   string
			Step  int64
			Value float64
		}
		Params, Tags []struct{ Key, Value string }
		Status       string
	}
	body, _ := io.ReadAll(r.Body)
	if place, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/mlflow-artifacts/artifacts/5/run-1/artifacts/"); ok {
		f.files = append(f.files, place)
		io.WriteString(w, "{}")
		return
	}
	json.Unmarshal(body, &request)
	switch strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/") {
	case "experiments/get-by-name":
		io.WriteString(w, `{"experiment": {"experiment_id": "5"}}`)
	case "runs/create":
		f.runs++
		for _, tag := range request.Tags {
			f.tags[tag.Key] = tag.Value
		}
		io.WriteString(w, `{"run": {"info": {"run_id": "run-1", "experiment_id": "5", "artifact_uri": "mlflow-artifacts:/5/run-1/artifacts"}}}`)
	case "runs/log-batch":
		for _, p := range request.Params {
			f.params[p.Key] = p.Value
		}
		for _, m := range request.Metrics {
			f.steps[m.Key] = append(f.steps[m.Key], m.Step)
			if f.values[m.Step] == nil {
				f.values[m.Step] = map[string]float64{}
			}
			f.values[m.Step][m.Key] = m.Value
		}
		io.WriteString(w, "{}")
	case "runs/update":
		f.statuses = append(f.statuses, request.Status)
		io.WriteString(w, "{}")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

const beforeTraining = "balanced_accuracy/all_clients_before_local_training"

// TestMLflow checks that a run logs its flags, the metrics of each round, tags and files, and that a resumed run continues
// the same run on the server.
func TestMLflow(t *testing.T) {
	f, address := newFakeMLflow(t)
	t.Setenv(mlflow.URIVariable, address)
	data, run := mnist(t), filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(small(data, run, "--rounds", "2", "--label", "mine")...); code != exitDone || strings.Contains(log, "warning: MLflow") {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if f.params["algorithm"] != "feddag" || f.params["lr"] != "0.01" || f.params["clients"] != "6" || f.tags["label"] != "mine" || f.tags["directory"] != run {
		t.Errorf("params %v, tags %v", f.params, f.tags)
	}
	if got := f.steps[beforeTraining]; !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("rounds %v of %s", got, beforeTraining)
	}
	if len(f.steps["clusters/adjusted_rand_index"]) != 2 || len(f.steps["time/seconds"]) != 2 {
		t.Errorf("metrics %v", f.steps)
	}
	f.checkMetrics(t, run)
	if want := []string{"config.yaml", "env.json", "summary.json", "clients.csv", "clusters.json", "metrics.jsonl", "report.html"}; !slices.Equal(f.files, want) {
		t.Errorf("files %v", f.files)
	}
	if code, _, log := feddag("train", "--resume", run, "--rounds", "3"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if got := f.steps[beforeTraining]; !slices.Equal(got, []int64{1, 2, 3}) || f.runs != 1 {
		t.Errorf("after a resume: rounds %v in %d runs", got, f.runs)
	}
	if want := []string{"FINISHED", "RUNNING", "FINISHED"}; !slices.Equal(f.statuses, want) {
		t.Errorf("statuses %v", f.statuses)
	}
	// A run that was begun without a server logs all of its rounds.
	other, address := newFakeMLflow(t)
	t.Setenv(mlflow.URIVariable, address)
	if code, _, log := feddag("train", "--resume", run, "--rounds", "4"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	other.checkMetrics(t, run)
	if got := other.steps[beforeTraining]; !slices.Equal(got, []int64{1, 2, 3, 4}) || other.params["algorithm"] != "feddag" {
		t.Errorf("another server: rounds %v", got)
	}
}

// checkMetrics checks that the server has every number of every round in metrics.jsonl, and nothing else except the clusters.
func (f *fakeMLflow) checkMetrics(t *testing.T, run string) {
	t.Helper()
	dir, err := report.Look(run)
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := dir.ReadMetrics()
	if err != nil || len(rounds) != len(f.values) {
		t.Errorf("metrics of %d rounds, want %d (%v)", len(f.values), len(rounds), err)
	}
	for _, r := range rounds {
		want := map[string]float64{"clusters/count": float64(*r.Clusters), "clusters/adjusted_rand_index": *r.AdjustedRandIndex}
		for _, s := range r.Scalars() {
			want[s.Tag] = s.Value
		}
		if got := f.values[int64(r.Round)]; len(want) < 8 || !maps.Equal(got, want) {
			t.Errorf("round %d: the server has %v, want %v", r.Round, got, want)
		}
	}
}

// TestMLflowDoesNotSpoilARun checks that a server that is down, refuses everything, hangs, or has an unsupported address
// causes a warning and does not change the results of the run.
func TestMLflowDoesNotSpoilARun(t *testing.T) {
	data := mnist(t)
	reference := filepath.Join(t.TempDir(), "reference")
	if code, _, log := feddag(small(data, reference, "--rounds", "1")...); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	want := string(mustRead(t, reference, "clients.csv"))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hangs.Close()
	defer close(release)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuses.Close()
	t.Setenv(mlflow.TimeoutVariable, "0.2")
	for address, says := range map[string]string{
		"http://me:secret@" + closed.Addr().String(): "connection refused", refuses.URL: "403 Forbidden", hangs.URL: "requests were not sent",
		"sqlite:///mlflow.db": "only http:// and https://",
	} {
		t.Setenv(mlflow.URIVariable, address)
		run := filepath.Join(t.TempDir(), "run")
		code, out, log := feddag(small(data, run, "--rounds", "1", "--quiet")...)
		if code != exitDone || !strings.Contains(log, "warning: ") || !strings.Contains(log, says) || strings.Contains(log, "secret") {
			t.Errorf("%s: exit code %d, want a warning with %q:\n%s", address, code, says, log)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if !json.Valid([]byte(lines[len(lines)-1])) {
			t.Errorf("%s: the last line is not JSON", address)
		}
		if got := string(mustRead(t, run, "clients.csv")); got != want {
			t.Errorf("%s: other results", address)
		}
	}
}

// TestRealMLflow checks that a real server has the run, its parameters, the metrics of each round, and its files.
func TestRealMLflow(t *testing.T) {
	program := os.Getenv("FEDDAG_MLFLOW")
	if program == "" {
		program = "mlflow"
	}
	program, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("there is no mlflow: %v (FEDDAG_MLFLOW names one)", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	_, port, _ := net.SplitHostPort(free.Addr().String())
	address, dir := "http://"+free.Addr().String(), t.TempDir()
	server := exec.Command(program, "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"), "--artifacts-destination", filepath.Join(dir, "artifacts"))
	var log syncBuffer
	server.Stdout, server.Stderr, server.Dir = &log, &log, dir
	ended := startServer(t, server)
	for {
		answer, err := http.Get(address + "/health")
		if err == nil {
			answer.Body.Close()
			break
		}
		select {
		case <-ended:
			t.Fatalf("mlflow ended:\n%s", log.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Setenv(mlflow.URIVariable, address)
	t.Setenv(mlflow.ExperimentVariable, "an experiment")
	t.Setenv(mlflow.TimeoutVariable, "60")
	data, run := mnist(t), filepath.Join(t.TempDir(), "a run")
	if code, _, log := feddag(small(data, run, "--rounds", "2")...); code != exitDone || strings.Contains(log, "warning: MLflow") {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if code, _, log := feddag("train", "--resume", run, "--rounds", "3"); code != exitDone || strings.Contains(log, "warning: MLflow") {
		t.Fatalf("exit code %d: %s", code, log)
	}
	var tracked struct {
		Run struct {
			ID string `json:"run_id"`
		}
	}
	if err := json.Unmarshal(mustRead(t, run, "mlflow.json"), &tracked); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Run struct {
			Info struct{ Status string }
			Data struct{ Params []struct{ Key, Value string } }
		}
		Metrics []struct {
			Step  int64
			Value float64
		}
		Files []struct{ Path string }
	}
	for _, query := range []string{
		"runs/get?run_id=" + tracked.Run.ID, "metrics/get-history?metric_key=" + url.QueryEscape(beforeTraining) + "&run_id=" + tracked.Run.ID,
		"artifacts/list?run_id=" + tracked.Run.ID,
	} {
		answer, err := http.Get(address + "/api/2.0/mlflow/" + query)
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if got.Run.Info.Status != "FINISHED" || len(got.Run.Data.Params) < 20 {
		t.Errorf("the run on the server: %+v", got.Run)
	}
	rounds := strings.Split(strings.TrimSpace(string(mustRead(t, run, "metrics.jsonl"))), "\n")
	if len(got.Metrics) != 3 {
		t.Fatalf("metrics %v", got.Metrics)
	}
	for i, m := range got.Metrics {
		mean, _ := json.Marshal(m.Value)
		if want := fmt.Sprintf(`"pre":{"balanced_accuracy":{"mean":%s,`, mean); m.Step != int64(i+1) || !strings.Contains(rounds[i], want) {
			t.Errorf("metric %+v, round %s", m, rounds[i])
		}
	}
	var files []string
	for _, f := range got.Files {
		files = append(files, f.Path)
	}
	if !slices.Contains(files, "report.html") || !slices.Contains(files, "clients.csv") {
		t.Errorf("files %v", files)
	}
}

// startServer starts a command in a separate process group, which is killed at the end of the test.
func startServer(t *testing.T, c *exec.Cmd) (ended <-chan error) {
	t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(10 * time.Second):
		}
	})
	return done
}
