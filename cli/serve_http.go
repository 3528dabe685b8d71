package cli

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"feddag/report"
)

// livePoll is the script that is added to a served page. It asks every two seconds whether the run has anything new, and if
// so, reloads the content of the page. The scroll position does not change.
const livePoll = `<script>
(function () {
  let seen = %q;
  const wait = () => setTimeout(look, 2000);
  async function look() {
    try {
      const now = await (await fetch("/stamp", {cache: "no-store"})).text();
      if (now !== seen) {
        const page = await (await fetch("/", {cache: "no-store"})).text();
        const next = new DOMParser().parseFromString(page, "text/html");
        if (!document.getElementById("state") || !next.getElementById("state")) { location.reload(); return; }
        document.querySelector("main").replaceWith(next.querySelector("main"));
        seen = now;
      }
    } catch (e) { /* the server has ended, or will answer again */ }
    wait();
  }
  wait();
})();
</script>
`

// runServer answers requests for a run: / is its report, or a page with the rounds so far while the run goes on; /files/ are
// the files of its directory; /stamp is a text that changes whenever the report does.
type runServer struct {
	dir      *report.Dir
	files    http.Handler
	loopback bool // whether the server is reachable from this machine only
}

// newRunServer returns a server of a run. It serves nothing outside of root, even through symbolic links.
func newRunServer(dir *report.Dir, root *os.Root, loopback bool) *runServer {
	return &runServer{dir, http.StripPrefix("/files/", http.FileServerFS(root.FS())), loopback}
}

// ServeHTTP implements http.Handler.
func (s *runServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:")
	switch {
	case s.loopback && !isLoopback(r.Host):
		// This prevents DNS rebinding: the page of another site must not read the run by making its host name resolve to this
		// machine.
		http.Error(w, "this server answers to localhost only", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the files are only read", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		s.page(w)
	case r.URL.Path == "/stamp":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, s.dir.Stamp())
	case strings.HasPrefix(r.URL.Path, "/files/") && !hasHidden(r.URL.Path):
		if contentType := textTypes[path.Ext(r.URL.Path)]; contentType != "" {
			h.Set("Content-Type", contentType)
		}
		s.files.ServeHTTP(w, r)
	case !hasHidden(r.URL.Path): // a relative link in the report, to a file in the run directory
		to := url.URL{Path: "/files" + path.Clean(r.URL.Path)}
		http.Redirect(w, r, to.String(), http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}

// textTypes are the content types of files that a browser should show.
var textTypes = map[string]string{
	".json": "application/json", ".jsonl": "text/plain; charset=utf-8", ".yaml": "text/plain; charset=utf-8", ".csv": "text/plain; charset=utf-8",
	".safetensors": "application/octet-stream", ".npy": "application/octet-stream",
}

// hasHidden reports whether a path has a name that begins with a dot, such as the lock file.
func hasHidden(p string) bool { return strings.Contains(p, "/.") }

// isLoopback reports whether a host, with or without a port, is the loopback address of this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// page writes the report with the script that keeps it up to date.
func (s *runServer) page(w http.ResponseWriter) {
	stamp := s.dir.Stamp() // taken before the page is read, so that the next request notices any change in between
	text, err := s.text()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	script := fmt.Appendf(nil, livePoll, stamp)
	end := []byte("</body>")
	if i := bytes.LastIndex(text, end); i >= 0 {
		text = bytes.Join([][]byte{text[:i], script, text[i:]}, nil)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(text)
}

// text returns the page of the run as it is now.
func (s *runServer) text() ([]byte, error) {
	name, err := s.dir.Report()
	if err != nil {
		return nil, err
	}
	if name != "" {
		return os.ReadFile(s.dir.Path(name))
	}
	var b bytes.Buffer
	err = s.dir.WriteLive(&b)
	return b.Bytes(), err
}
