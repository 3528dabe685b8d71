package lockfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/internal/alloctest"
)

// FuzzRead checks that a lock file with any content names a process or gives an error of one line.
func FuzzRead(f *testing.F) {
	text, err := thisProcess().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"pid": 1, "since": "9999-12-31T23:59:59Z", "host": "a\nb"}`))
	path := filepath.Join(f.TempDir(), ".lock")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		alloctest.Within(t, 1<<20, func() {
			h, err := Read(path)
			text := h.String()
			if err != nil {
				text = err.Error()
			}
			if strings.ContainsAny(text, "\n\r") {
				t.Errorf("several lines: %q", text)
			}
		})
	})
}
