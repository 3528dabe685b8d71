// Package mlflow logs to an MLflow tracking server through its REST API (https://mlflow.org/docs/latest/rest-api.html),
// version 2.0, which servers since MLflow 1 support. The MLflow project has no Go client; the modules by others have few
// commits or no release since 2023.
package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The environment variables of MLflow's own clients that this package reads.
const (
	URIVariable        = "MLFLOW_TRACKING_URI"
	UserVariable       = "MLFLOW_TRACKING_USERNAME"
	PasswordVariable   = "MLFLOW_TRACKING_PASSWORD"
	TokenVariable      = "MLFLOW_TRACKING_TOKEN"
	ExperimentVariable = "MLFLOW_EXPERIMENT_NAME"
	TimeoutVariable    = "MLFLOW_HTTP_REQUEST_TIMEOUT" // seconds
)

// usualTimeout is the default of Timeout.
const usualTimeout = 10 * time.Second

// Client calls a tracking server.
type Client struct {
	base           string // address without credentials and without a slash at the end
	user, password string
	token          string
	http           *http.Client

	// Timeout is the longest time for a request, and the longest time that the end of a run waits for the server.
	Timeout time.Duration
}

// NewClient returns a client of the server at an address, http://HOST:PORT or https://HOST. The credentials come from the
// address or from the environment.
func NewClient(address string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is %q: only http:// and https:// addresses of a tracking server are supported; start one with mlflow server", URIVariable, redacted(address))
	}
	timeout := usualTimeout
	if text := os.Getenv(TimeoutVariable); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > 0 && seconds < 1e6) {
			return nil, fmt.Errorf("%s is %q: use a number of seconds above 0", TimeoutVariable, text)
		}
		timeout = time.Duration(seconds * float64(time.Second))
	}
	c := &Client{
		user: os.Getenv(UserVariable), password: os.Getenv(PasswordVariable), token: os.Getenv(TokenVariable),
		http: &http.Client{Timeout: timeout}, Timeout: timeout,
	}
	if u.User != nil {
		c.user = u.User.Username()
		c.password, _ = u.User.Password()
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	c.base = strings.TrimRight(u.String(), "/")
	return c, nil
}

// redacted returns an address without its password.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "no address"
}

// Address returns the address of the server, without credentials.
func (c *Client) Address() string { return c.base }

// Error is the answer of a server that refused a request.
type Error struct {
	Status        int
	Code, Message string // error code and message of MLflow; "" if the server sent none
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Missing reports whether the server says that the object of a request does not exist.
func Missing(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == "RESOURCE_DOES_NOT_EXIST"
}

// temporary reports whether the same request may succeed later.
func temporary(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status >= 500 || refused.Status == http.StatusTooManyRequests || refused.Status == http.StatusRequestTimeout
	}
	var unreachable *url.Error
	return errors.As(err, &unreachable)
}

// maxAnswer is the largest number of bytes of an answer.
const maxAnswer = 1 << 20

// do sends a request and decodes its answer into answer, if that is not nil.
func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	switch {
	case c.token != "":
		r.Header.Set("Authorization", "Bearer "+c.token)
	case c.user != "":
		r.SetBasicAuth(c.user, c.password)
	}
	got, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err != nil {
		return &url.Error{Op: method, URL: c.base + path, Err: err}
	}
	if got.StatusCode >= 300 {
		refused := &Error{Status: got.StatusCode}
		var what struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		}
		if json.Unmarshal(text, &what) == nil {
			refused.Code, refused.Message = what.Code, what.Message
		}
		return refused
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return &Error{Status: http.StatusNotFound, Code: "not an MLflow server", Message: err.Error()}
	}
	return nil
}

// call posts a request of the API.
func (c *Client) call(ctx context.Context, name string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, "/api/2.0/mlflow/"+name, "application/json", body, answer)
}

// Experiment returns the id of the experiment with the given name. It creates the experiment if there is none.
func (c *Client) Experiment(ctx context.Context, name string) (string, error) {
	var found struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		} `json:"experiment"`
	}
	get := func() error {
		return c.do(ctx, http.MethodGet, "/api/2.0/mlflow/experiments/get-by-name?experiment_name="+url.QueryEscape(name), "", nil, &found)
	}
	err := get()
	if !Missing(err) {
		return found.Experiment.ID, err
	}
	var made struct {
		ID string `json:"experiment_id"`
	}
	err = c.call(ctx, "experiments/create", map[string]string{"name": name}, &made)
	var refused *Error
	if errors.As(err, &refused) && refused.Code == "RESOURCE_ALREADY_EXISTS" { // another run made it meanwhile
		err = get()
		return found.Experiment.ID, err
	}
	return made.ID, err
}

// Run is a run on the server.
type Run struct {
	ID         string `json:"run_id"`
	Experiment string `json:"experiment_id"`
	Artifacts  string `json:"artifact_uri"`
}

// CreateRun begins a run.
func (c *Client) CreateRun(ctx context.Context, experiment, name string, start time.Time, tags map[string]string) (Run, error) {
	var answer struct {
		Run struct {
			Info Run `json:"info"`
		} `json:"run"`
	}
	err := c.call(ctx, "runs/create", map[string]any{
		"experiment_id": experiment, "run_name": name, "start_time": start.UnixMilli(), "tags": keyValues(tags),
	}, &answer)
	return answer.Run.Info, err
}

// Status is the state of a run.
type Status string

// The states of a run.
const (
	Running  Status = "RUNNING"
	Finished Status = "FINISHED"
	Failed   Status = "FAILED"
	Killed   Status = "KILLED"
)

// Update sets the state of a run, and its end unless it is Running.
func (c *Client) Update(ctx context.Context, run string, s Status, end time.Time) error {
	request := map[string]any{"run_id": run, "status": s}
	if s != Running {
		request["end_time"] = end.UnixMilli()
	}
	return c.call(ctx, "runs/update", request, nil)
}

// Metric is a value of a run after a number of rounds.
type Metric struct {
	Key       string  `json:"key"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"` // milliseconds since 1970
	Step      int64   `json:"step"`
}

// keyValue is a parameter or a tag.
type keyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// maxValue is the largest number of characters of a parameter that servers before MLflow 2.8 accept.
const maxValue = 500

// keyValues returns parameters or tags, without those that are empty.
func keyValues(m map[string]string) []keyValue {
	list := []keyValue{}
	for k, v := range m {
		if runes := []rune(v); len(runes) > maxValue {
			v = string(runes[:maxValue-1]) + "…"
		}
		if v != "" {
			list = append(list, keyValue{k, v})
		}
	}
	return list
}

// The largest numbers of items that a server accepts at once.
const (
	maxMetrics = 1000
	maxParams  = 100
)

// LogMetrics adds metrics to a run.
func (c *Client) LogMetrics(ctx context.Context, run string, metrics []Metric) error {
	return logBatches(ctx, c, run, "metrics", metrics, maxMetrics)
}

// LogParams adds parameters to a run, which cannot be changed later.
func (c *Client) LogParams(ctx context.Context, run string, params map[string]string) error {
	return logBatches(ctx, c, run, "params", keyValues(params), maxParams)
}

// logBatches adds items to a run, in requests of as many items as a server accepts.
func logBatches[T any](ctx context.Context, c *Client, run, kind string, items []T, most int) error {
	for some := range slices.Chunk(items, most) {
		if err := c.call(ctx, "runs/log-batch", map[string]any{"run_id": run, kind: some}, nil); err != nil {
			return err
		}
	}
	return nil
}

// proxied is the prefix of the artifact address of a server that accepts artifacts itself.
const proxied = "mlflow-artifacts:"

// TakesArtifacts reports whether the server of a run accepts its artifacts. With other servers, clients have to write the
// artifacts to a separate storage themselves.
func (r Run) TakesArtifacts() bool { return strings.HasPrefix(r.Artifacts, proxied) }

// LogArtifact adds a file to a run whose server accepts artifacts.
func (c *Client) LogArtifact(ctx context.Context, run Run, name string, content []byte) error {
	place := strings.TrimPrefix(run.Artifacts, proxied)
	if rest, ok := strings.CutPrefix(place, "//"); ok { // mlflow-artifacts://HOST/...
		_, place, _ = strings.Cut(rest, "/")
	}
	path := "/api/2.0/mlflow-artifacts/artifacts/" + strings.Trim(place, "/") + "/" + url.PathEscape(name)
	return c.do(ctx, http.MethodPut, path, "application/octet-stream", content, nil)
}
