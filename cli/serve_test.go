package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feddag/report"
)

// halfRun returns the directory of a run that has done two of four rounds.
func halfRun(t *testing.T) *report.Dir {
	t.Helper()
	path := t.TempDir()
	write(t, filepath.Join(path, "config.yaml"), []byte("algorithm: fedavg\ndataset: mnist\nseed: 3\nrounds: 4\nlabel: \"<b>half\"\n"))
	dir, err := report.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= 2; round++ {
		addRound(t, dir, round)
	}
	return dir
}

// addRound adds a round whose accuracy is ten times its number.
func addRound(t *testing.T, dir *report.Dir, round int) {
	t.Helper()
	stat := report.Stat{Mean: 10 * float64(round), Std: 1}
	score := report.Score{Balanced: stat, Accuracy: stat}
	if err := dir.AppendMetrics(report.Round{Round: round, TrainLoss: 1 / float64(round), Pre: score, CohortPre: score, CohortPost: score, Clients: []int{0}}); err != nil {
		t.Error(err)
	}
}

// served starts a server of a directory.
func served(t *testing.T, dir *report.Dir) *httptest.Server {
	t.Helper()
	root, err := os.OpenRoot(dir.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	server := httptest.NewServer(newRunServer(dir, root, true))
	t.Cleanup(server.Close)
	return server
}

// get returns the answer to a request for a path, which is sent unchanged.
func get(t *testing.T, server *httptest.Server, path string, change ...func(*http.Request)) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	for _, f := range change {
		f(r)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(raw), answer.Header
}

// TestServeFollowsARun checks that the page of an unfinished run has the rounds so far, that it becomes the report when there
// is one, and that it shows the rounds again when a resumed run continues.
func TestServeFollowsARun(t *testing.T) {
	dir := halfRun(t)
	server := served(t, dir)
	_, page, _ := get(t, server, "/")
	for _, want := range []string{"Interrupted: 2 of 4 rounds done", "After round 2: balanced accuracy 20.00", "<svg", "&lt;b&gt;half on mnist, seed 3", `fetch("/stamp"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	_, before, _ := get(t, server, "/stamp")
	if _, again, _ := get(t, server, "/stamp"); again != before {
		t.Error("the stamp changes by itself")
	}
	addRound(t, dir, 3)
	if _, after, _ := get(t, server, "/stamp"); after == before {
		t.Error("the stamp does not change with a round")
	}
	if _, page, _ := get(t, server, "/"); !strings.Contains(page, "After round 3: balanced accuracy 30.00") {
		t.Error("the page does not have the new round")
	}

	later := time.Now().Add(time.Minute)
	write(t, dir.Path("report.html"), []byte("<html><body>the report</body></html>"))
	if err := os.Chtimes(dir.Path("report.html"), later, later); err != nil {
		t.Fatal(err)
	}
	_, page, header := get(t, server, "/")
	if !strings.Contains(page, "the report<script>") || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("not the report: %s", page)
	}
	if _, raw, _ := get(t, server, "/files/report.html"); strings.Contains(raw, "script") {
		t.Error("the file is not as it is")
	}
	addRound(t, dir, 4)
	if err := os.Chtimes(dir.Path("metrics.jsonl"), later.Add(time.Second), later.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, page, _ := get(t, server, "/"); !strings.Contains(page, "4 of 4 rounds") {
		t.Error("a run that was resumed shows its old report")
	}
}

// TestServeFiles checks that the files of the run, and nothing else, are served for reading.
func TestServeFiles(t *testing.T) {
	dir := halfRun(t)
	outside := filepath.Join(t.TempDir(), "secret.txt")
	write(t, outside, []byte("secret"))
	write(t, dir.Path(".lock"), []byte("secret"))
	for name, to := range map[string]string{"link.txt": outside, "up": filepath.Dir(outside)} {
		if err := os.Symlink(to, dir.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	server := served(t, dir)
	if status, body, header := get(t, server, "/files/metrics.jsonl"); status != http.StatusOK || !strings.Contains(body, `"round":1`) || header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("metrics.jsonl: %d, %v, %s", status, header, body)
	}
	if status, body, _ := get(t, server, "/files/"); status != http.StatusOK || !strings.Contains(body, "config.yaml") {
		t.Errorf("the list of files: %d, %s", status, body)
	}
	if status, body, _ := get(t, server, "/config.yaml"); status != http.StatusOK || !strings.Contains(body, "fedavg") {
		t.Errorf("a link of the report: %d, %s", status, body)
	}
	up := "/files/" + strings.Repeat("../", 12)
	for _, path := range []string{
		"/files/link.txt", "/files/up/secret.txt", "/files/.lock", "/.lock", up + outside[1:], "/files/..%2f..%2f" + outside[1:], "/files//" + outside, "/../../etc/passwd",
		"/files/%2e%2e/%2e%2e/etc/passwd", "/files/up/", "/files/none.txt",
	} {
		if status, body, _ := get(t, server, path); status == http.StatusOK || strings.Contains(body, "secret") || strings.Contains(body, "root:") {
			t.Errorf("%s: %d, %s", path, status, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		status, _, _ := get(t, server, "/files/metrics.jsonl", func(r *http.Request) { r.Method = method })
		if status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, status)
		}
	}
	if status, _, _ := get(t, server, "/", func(r *http.Request) { r.Host = "evil.example:80" }); status != http.StatusForbidden {
		t.Errorf("another host: %d", status)
	}
	for _, host := range []string{"localhost:1", "127.0.0.1", "[::1]:7474"} {
		if status, _, _ := get(t, server, "/", func(r *http.Request) { r.Host = host }); status != http.StatusOK {
			t.Errorf("%s: %d", host, status)
		}
	}
}

// syncBuffer is a buffer that a test reads while a command writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestServeCommand checks that the command prints its address, serves, ends when it is interrupted, and reports wrong
// arguments.
func TestServeCommand(t *testing.T) {
	dir := halfRun(t)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	var out syncBuffer
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, []string{dir.Path(), "--listen", "127.0.0.1:0"}, &out, io.Discard) }()
	for !strings.HasSuffix(out.String(), "/\n") {
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	address := strings.TrimSpace(out.String())
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", address, answer.Status)
	}
	port := strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/")
	checkFails(t, exitFailed, []string{port, "another program listens there", "127.0.0.1:0"}, "serve", dir.Path(), "--listen", port)
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := net.Dial("tcp", port); err == nil {
		t.Error("the port is still open")
	}

	checkFails(t, exitUsage, []string{"one run", "0 arguments"}, "serve")
	checkFails(t, exitUsage, []string{"--listen", "HOST:PORT"}, "serve", dir.Path(), "--listen", "80")
	checkFails(t, exitFailed, []string{"--listen nowhere.invalid:1"}, "serve", dir.Path(), "--listen", "nowhere.invalid:1")
	checkFails(t, exitFailed, []string{"no such file"}, "serve", dir.Path("none"))
	checkFails(t, exitFailed, []string{"not a run directory", "config.yaml", "compare.html"}, "serve", t.TempDir())
	checkFails(t, exitFailed, []string{"a file"}, "serve", dir.Path("config.yaml"))
	comparison := t.TempDir()
	write(t, filepath.Join(comparison, "compare.html"), []byte("<body>compared</body>"))
	compared, err := report.LookAny(comparison)
	if err != nil {
		t.Fatal(err)
	}
	if _, page, _ := get(t, served(t, compared), "/"); !strings.Contains(page, "compared<script>") {
		t.Errorf("a comparison: %s", page)
	}
}

// chromium returns a browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium on PATH (Debian: apt install chromium)")
	return ""
}

// TestServeInABrowser checks in a real browser that the page follows the run without being reloaded, becomes the report when
// there is one, and has no errors in its console.
func TestServeInABrowser(t *testing.T) {
	browser := chromium(t)
	for _, ends := range []bool{false, true} {
		dir := halfRun(t)
		root, err := os.OpenRoot(dir.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		pages := newRunServer(dir, root, true)
		var looks, loads atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/stamp":
				if looks.Add(1) == 1 { // the browser has drawn the page, so the run continues
					addRound(t, dir, 3)
					if ends {
						write(t, dir.Path("report.html"), []byte("<html><body><main>the report <script>document.write(6*7)</script></main></body></html>"))
					}
				}
			case "/":
				loads.Add(1)
			}
			pages.ServeHTTP(w, r)
		}))
		defer server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(),
			"--enable-logging=stderr", "--virtual-time-budget=12000", "--dump-dom", server.URL+"/")
		var dom, log bytes.Buffer
		c.Stdout, c.Stderr = &dom, &log
		if err := c.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &log)
		}
		want := "After round 3: balanced accuracy 30.00"
		if ends {
			want = "the report <script>document.write(6*7)</script>42"
		}
		if !strings.Contains(dom.String(), want) {
			t.Errorf("after %d looks and %d loads the page lacks %q:\n%.2000s", looks.Load(), loads.Load(), want, dom.String())
		}
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "CONSOLE") {
				t.Errorf("on the console: %s", line)
			}
		}
	}
}
