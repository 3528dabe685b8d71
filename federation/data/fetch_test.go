package data

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feddag/internal/errtest"
)

// hexOf returns the checksums of bytes.
func hexOf(b []byte) (sha, md string) {
	s, m := sha256.Sum256(b), md5.Sum(b)
	return hex.EncodeToString(s[:]), hex.EncodeToString(m[:])
}

// someBytes returns n bytes without a pattern that an error could repeat.
func someBytes(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// publishTest registers a set of one file for the duration of a test.
func publishTest(t *testing.T, content []byte, change func(d *download)) {
	sha, md := hexOf(content)
	d := download{file: "a.bin", mirrors: []string{"http://127.0.0.1:1"}, size: int64(len(content)), sha256: sha, md5: md}
	if change != nil {
		change(&d)
	}
	const name = "published-for-a-test"
	register(source{name: name, origin: origin{folder: "there", files: []download{d, {file: "more.bin", optional: true}}}})
	t.Cleanup(func() { delete(sources, name) })
}

// server serves content under /files/a.bin. wrap may change the answers.
func server(t *testing.T, content []byte, wrap func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc)) (url string, asked *atomic.Int32) {
	asked = &atomic.Int32{}
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/files/a.bin" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "a.bin", time.Time{}, bytes.NewReader(content))
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		if wrap == nil {
			serve(w, r)
			return
		}
		wrap(n, w, r, serve)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/files", asked
}

func fetchTest(t *testing.T, dir, mirror string) (string, error) {
	t.Helper()
	files, err := Fetch(t.Context(), "published-for-a-test", FetchOptions{Dir: dir, Mirror: mirror, Wait: time.Millisecond})
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	return files[0], nil
}

func wantFile(t *testing.T, file string, content []byte) {
	t.Helper()
	if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%s: %d bytes, %v; want %d", file, len(b), err, len(content))
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFetch(t *testing.T) {
	content := someBytes(300_000)
	publishTest(t, content, nil)
	url, asked := server(t, content, nil)
	dir := t.TempDir()
	last, calls := int64(0), 0
	files, err := Fetch(t.Context(), "published-for-a-test", FetchOptions{Dir: dir, Mirror: url + "/", Progress: func(file string, done, total int64) {
		if file != "a.bin" || done < last || total != int64(len(content)) {
			t.Errorf("progress %s %d of %d after %d", file, done, total, last)
		}
		last = done
		calls++
	}})
	if err != nil {
		t.Fatal(err)
	}
	if files[0] != filepath.Join(dir, "there", "a.bin") || last != int64(len(content)) || calls < 2 {
		t.Errorf("files %q, progress up to %d in %d calls", files, last, calls)
	}
	wantFile(t, files[0], content)

	// An existing file is kept without a request.
	if _, err := fetchTest(t, dir, url); err != nil || asked.Load() != 1 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	if err := os.WriteFile(files[0], content[1:], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = fetchTest(t, dir, url)
	errtest.Want(t, err, files[0], "not the published one", "move it away")
	if b, _ := os.ReadFile(files[0]); !bytes.Equal(b, content[1:]) {
		t.Error("the file that was there was overwritten")
	}
	_, err = Fetch(t.Context(), "published-for-a-test", FetchOptions{Dir: dir, Only: []string{"b.bin"}})
	errtest.Want(t, err, "b.bin", "did you mean a.bin?")
	_, err = Fetch(t.Context(), "folder:x", FetchOptions{Dir: dir})
	errtest.Want(t, err, "cannot be fetched", "cifar10", "svhn")
	_, err = Fetch(t.Context(), "published-for-a-test", FetchOptions{})
	errtest.Want(t, err, "--data-dir")
	_, err = Fetch(t.Context(), "cifr10", FetchOptions{Dir: dir})
	errtest.Want(t, err, "did you mean cifar10?")
}

// Fetch says what it downloads before it waits for an answer, and why it tries again.
func TestFetchSaysWhatItWaitsFor(t *testing.T) {
	content := someBytes(1000)
	publishTest(t, content, nil)
	var notices []string
	var said atomic.Bool
	url, _ := server(t, content, func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
		if !said.Load() {
			t.Error("the server was asked before a word was said")
		}
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve(w, r)
	})
	o := FetchOptions{Dir: t.TempDir(), Mirror: url, Wait: time.Millisecond, Notice: func(line string) {
		said.Store(true)
		notices = append(notices, line)
	}}
	if _, err := Fetch(t.Context(), "published-for-a-test", o); err != nil {
		t.Fatal(err)
	}
	if len(notices) != 2 || notices[0] != "fetching "+url+"/a.bin" || !strings.Contains(notices[1], "503") ||
		!strings.HasSuffix(notices[1], "; attempt 2 of 5 in 1ms") {
		t.Errorf("notices %q", notices)
	}

	// No server listens at this address, and each failed attempt is reported.
	notices, o.Dir, o.Mirror = nil, t.TempDir(), "http://127.0.0.1:1"
	_, err := Fetch(t.Context(), "published-for-a-test", o)
	errtest.Want(t, err, "a.bin", "127.0.0.1:1")
	if len(notices) != fetchAttempts || !strings.Contains(notices[4], "; attempt 5 of 5 in 8ms") {
		t.Errorf("notices %q", notices)
	}
}

func TestFetchGoesOn(t *testing.T) {
	content := someBytes(300_000)
	half := func(w http.ResponseWriter, content []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:len(content)/2])
		panic(http.ErrAbortHandler) // the connection breaks
	}
	for _, c := range []struct {
		name string
		part []byte // exists before the download
		wrap func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc)
		want int32 // number of requests
	}{
		{"where an earlier program stopped", content[:100_001], func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			if got := r.Header.Get("Range"); got != "bytes=100001-" {
				t.Errorf("asked for the range %q", got)
			}
			serve(w, r)
		}, 1},
		{"where the connection broke", nil, func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			if n == 1 {
				half(w, content)
			}
			if got := r.Header.Get("Range"); got != "bytes=150000-" {
				t.Errorf("asked for the range %q", got)
			}
			serve(w, r)
		}, 2},
		{"a server without ranges", content[:7], func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			r.Header.Del("Range")
			serve(w, r)
		}, 1},
		{"a busy server", nil, func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
			if n < 4 {
				http.Error(w, "later", http.StatusServiceUnavailable)
				return
			}
			serve(w, r)
		}, 4},
		{"all of it is there", content, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			publishTest(t, content, nil)
			url, asked := server(t, content, c.wrap)
			dir := t.TempDir()
			if c.part != nil {
				write(t, filepath.Join(dir, "there"), map[string][]byte{"a.bin.part": c.part})
			}
			file, err := fetchTest(t, dir, url)
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, file, content)
			if asked.Load() != c.want {
				t.Errorf("asked %d times, want %d", asked.Load(), c.want)
			}
		})
	}
}

func TestFetchRefuses(t *testing.T) {
	content := someBytes(100_000)
	other := bytes.Clone(content)
	other[50_000] ^= 1
	for _, c := range []struct {
		name   string
		serve  []byte
		change func(d *download)
		wrap   func(n int, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc)
		words  []string
	}{
		{"another file", other, nil, nil, []string{"SHA-256", "must be"}},
		{"another file, of which the MD5 alone is published", other, func(d *download) { d.sha256 = "" }, nil, []string{"MD5", "must be"}},
		{"a shorter file", content[:99_000], nil, nil, []string{"99000 bytes, but must have 100000"}},
		{"a longer file", append(bytes.Clone(content), 1), nil, nil, []string{"more than the published 100000 bytes"}},
		{"a page instead", nil, nil, func(_ int, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			fmt.Fprint(w, "<html>404 not found</html>")
		}, []string{"of 100000 bytes"}},
		{"not found", content, nil, func(_ int, w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { http.NotFound(w, r) }, []string{"404"}},
		{"another range", content, nil, func(_ int, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Range", "bytes 5-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
		}, []string{"answers with the range"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			publishTest(t, content, c.change)
			url, _ := server(t, c.serve, c.wrap)
			dir := t.TempDir()
			_, err := fetchTest(t, dir, url)
			errtest.Want(t, err, append(c.words, filepath.Join(dir, "there", "a.bin"), url+"/a.bin")...)
			if _, err := os.Stat(filepath.Join(dir, "there", "a.bin")); !errors.Is(err, os.ErrNotExist) {
				t.Error("a file that is not the published one got its name")
			}
		})
	}
	t.Run("places in turn", func(t *testing.T) {
		good, _ := server(t, content, nil)
		bad, _ := server(t, other, nil)
		publishTest(t, content, func(d *download) { d.mirrors = []string{bad, "http://127.0.0.1:1", good + "/a.bin"} })
		file, err := fetchTest(t, t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		wantFile(t, file, content)
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		url, _ := server(t, content, func(_ int, w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(content[:40_000])
			w.(http.Flusher).Flush()
			time.AfterFunc(20*time.Millisecond, cancel)
			<-r.Context().Done()
		})
		publishTest(t, content, nil)
		dir := t.TempDir()
		_, err := Fetch(ctx, "published-for-a-test", FetchOptions{Dir: dir, Mirror: url})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if info, err := os.Stat(filepath.Join(dir, "there", "a.bin.part")); err != nil || info.Size() == 0 {
			t.Errorf("what was fetched is lost: %v", err)
		}
	})
}

// Every published file has a mirror, a size and a checksum of the right length, and is a file that its set reads.
func TestOrigins(t *testing.T) {
	n := 0
	for _, name := range Names() {
		src := sources[name]
		if len(src.origin.files) > 0 && src.origin.folder == "" {
			t.Errorf("%s: no folder", name)
		}
		for _, d := range src.origin.files {
			n++
			if d.file == "" || len(d.mirrors) == 0 || d.size <= 0 || len(d.md5) != 32 || d.sha256 != "" && len(d.sha256) != 64 {
				t.Errorf("%s: %+v", name, d)
			}
			for _, m := range d.mirrors {
				if !strings.HasPrefix(m, "https://") && !strings.HasPrefix(m, "http://") {
					t.Errorf("%s: place %q", name, m)
				}
			}
		}
		if len(src.origin.files) > 0 {
			// The file of Fetch is the file that find finds.
			dir := t.TempDir()
			for _, d := range src.origin.files {
				if !d.optional {
					write(t, filepath.Join(dir, src.origin.folder), map[string][]byte{d.file: nil})
				}
			}
			if _, err := Find(name, []string{dir}); err != nil {
				t.Errorf("%s: fetched, and not found: %v", name, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d published files", n)
	}
}
