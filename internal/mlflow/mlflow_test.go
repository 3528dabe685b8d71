package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answers starts a server that answers every request with a function, and returns a client of the server.
func answers(t *testing.T, answer func(path string, body string, r *http.Request) (int, string)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, text := answer(r.URL.Path, string(body), r)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	c, err := NewClient(strings.Replace(server.URL, "http://", "http://me:secret@", 1) + "/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExperiment checks that the experiment is found or created, also if another run creates it at the same time.
func TestExperiment(t *testing.T) {
	const missing, exists = `{"error_code": "RESOURCE_DOES_NOT_EXIST"}`, `{"error_code": "RESOURCE_ALREADY_EXISTS"}`
	for name, create := range map[string]string{"there": "", "made": `{"experiment_id": "7"}`, "raced": exists} {
		made := false
		c := answers(t, func(path, body string, r *http.Request) (int, string) {
			if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
				t.Errorf("%s: credentials %s:%s", name, user, password)
			}
			switch {
			case strings.HasSuffix(path, "get-by-name") && r.URL.Query().Get("experiment_name") != "a b":
				t.Errorf("asked for %s", r.URL)
			case strings.HasSuffix(path, "get-by-name") && create != "" && !made:
				return 404, missing
			case strings.HasSuffix(path, "create"):
				made = true
				if create == exists {
					return 400, create
				}
				return 200, create
			}
			return 200, `{"experiment": {"experiment_id": "7"}}`
		})
		if id, err := c.Experiment(context.Background(), "a b"); id != "7" || err != nil {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

// TestPieces checks that metrics and parameters are sent in pieces that a server accepts, that long values are cut, and that
// artifacts go to the right path.
func TestPieces(t *testing.T) {
	var requests []string
	c := answers(t, func(path, body string, r *http.Request) (int, string) {
		requests = append(requests, fmt.Sprintf("%s %s %d %d", r.Method, path, strings.Count(body, `"key"`), strings.Count(body, "é")))
		return 200, "{}"
	})
	ctx := context.Background()
	params := map[string]string{"long": strings.Repeat("é", 800), "empty": ""}
	for i := range 149 {
		params[fmt.Sprint(i)] = "x"
	}
	err := errors.Join(
		c.LogMetrics(ctx, "r", make([]Metric, 1001)), c.LogParams(ctx, "r", params),
		c.LogArtifact(ctx, Run{Artifacts: "mlflow-artifacts:/1/r/artifacts"}, "a b.csv", nil),
		c.LogArtifact(ctx, Run{Artifacts: "mlflow-artifacts://host:5000/1/r/artifacts"}, "x", nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	for i, r := range requests {
		var n int
		if k := strings.LastIndex(r, " "); k >= 0 {
			fmt.Sscan(r[k:], &n)
			requests[i] = r[:k]
		}
		cut += n
	}
	const batch = "POST /api/2.0/mlflow/runs/log-batch "
	const artifacts = "PUT /api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/"
	want := []string{batch + "1000", batch + "1", batch + "100", batch + "50", artifacts + "a b.csv 0", artifacts + "x 0"}
	if strings.Join(requests, "\n") != strings.Join(want, "\n") {
		t.Errorf("requests:\n%s", strings.Join(requests, "\n"))
	}
	if cut != maxValue-1 {
		t.Errorf("%d characters of the long value were sent", cut)
	}
	if (Run{Artifacts: "s3://bucket/1"}).TakesArtifacts() {
		t.Error("artifacts in a storage of its own")
	}
}

// TestNoServer checks that other kinds of addresses, and a server that is not an MLflow server, are refused without showing a
// password.
func TestNoServer(t *testing.T) {
	for _, address := range []string{"sqlite:///mlflow.db", "databricks", "./mlruns", "http://", "ftp://me:secret@host/"} {
		if _, err := NewClient(address); err == nil || !strings.Contains(err.Error(), URIVariable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := answers(t, func(string, string, *http.Request) (int, string) { return 200, "<html>" })
	if strings.Contains(c.Address(), "secret") {
		t.Errorf("the address %s has the password", c.Address())
	}
	if _, err := c.Experiment(context.Background(), "x"); err == nil || temporary(err) || !strings.Contains(err.Error(), "not an MLflow server") {
		t.Errorf("a page: %v", err)
	}
	t.Setenv(TimeoutVariable, "soon")
	if _, err := NewClient("http://host"); err == nil || !strings.Contains(err.Error(), TimeoutVariable) {
		t.Errorf("a timeout that is not a number: %v", err)
	}
	t.Setenv(TimeoutVariable, "2.5")
	if c, err := NewClient("http://host"); err != nil || c.Timeout != 2500*time.Millisecond {
		t.Errorf("a timeout: %v, %v", c, err)
	}
	c = answers(t, func(string, string, *http.Request) (int, string) { return 401, "no" })
	if err := c.Update(context.Background(), "r", Failed, time.Now()); err == nil || temporary(err) || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("unauthorized: %v", err)
	}
}

// TestQueue checks that a request that fails temporarily is sent again and keeps its place, and that a refused request is
// dropped. A server that stays down is one problem, and Close still ends.
func TestQueue(t *testing.T) {
	q := newQueue(time.Millisecond, time.Millisecond)
	down := &Error{Status: 503}
	var order strings.Builder
	attempts := 0
	q.Add(func(context.Context) error {
		if attempts++; attempts < 4 {
			return down
		}
		order.WriteString("a")
		return nil
	})
	q.Add(func(context.Context) error { order.WriteString("b"); return &Error{Status: 400, Code: "BAD"} })
	q.Add(func(context.Context) error { order.WriteString("c"); return nil })
	if unsent := q.Close(time.Minute); unsent != 1 || order.String() != "abc" || attempts != 4 {
		t.Errorf("%d were not sent, order %s, %d attempts", unsent, &order, attempts)
	}
	if err := q.Problem(); err == nil || !strings.Contains(err.Error(), "BAD") || q.Problem() != nil {
		t.Errorf("problem %v", err)
	}

	q = newQueue(time.Millisecond, time.Millisecond)
	var tried atomic.Int32
	q.Add(func(context.Context) error { tried.Add(1); return down })
	q.Add(func(context.Context) error { t.Error("out of order"); return nil })
	for tried.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	if q.Problem() == nil || q.Problem() != nil {
		t.Error("a server that is down is not one problem")
	}
	if unsent := q.Close(0); unsent != 2 {
		t.Errorf("%d were not sent", unsent)
	}

	// A request that hangs is cancelled.
	q = newQueue(time.Millisecond, time.Millisecond)
	q.Add(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if unsent := q.Close(time.Millisecond); unsent != 1 {
		t.Errorf("%d were not sent", unsent)
	}
}
