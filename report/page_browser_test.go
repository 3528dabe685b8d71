package report

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPagesInBrowser opens pages in Chromium, at 1200 and 390 pixels, light and dark: no text overlaps another, is cut off or
// small, and nothing is wider than the window. scripts/check_pages.sh does so with the pages of real runs.
func TestPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := os.Getenv("CHROMIUM")
	if browser == "" {
		browser = "chromium"
	}
	for _, tool := range []string{browser, "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := someComparison(t, 40)
	c.Variants[2].Cells[0].Summary.Device = "cuda:0"
	if err := dir.writeComparePage(c); err != nil {
		t.Fatal(err)
	}
	args := []string{"../scripts/check_pages.mjs", somePage(t, someRounds(30)), somePage(t, someRounds(1)), dir.Path(CompareHTML)}
	if out, err := exec.Command("node", args...).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, strings.TrimSpace(string(out)))
	}
	// The check finds a fault if there is one.
	bad := t.TempDir() + "/bad.html"
	if err := os.WriteFile(bad, []byte(`<body><p style="font-size:8px">small</p><div style="width:2000px">wide</div><script>undefined()</script></body>`), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("node", args[0], bad).CombinedOutput()
	for _, want := range []string{"text of 8.0 pixels: small", "wider than the window", "console: "} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, no %q in:\n%s", err, want, out)
		}
	}
}
