package cli

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataFlagsHaveAnEffect checks that --columns changes the contact sheet and --dataset-option the images that data info describes.
func TestDataFlagsHaveAnEffect(t *testing.T) {
	data := mnist(t)
	width := func(flags ...string) int {
		t.Helper()
		file := filepath.Join(t.TempDir(), "sheet.png")
		must(t, append([]string{"data", "info", "mnist", "--data-dir=" + data, "--sheet=" + file}, flags...)...)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sheet, err := png.DecodeConfig(f)
		if err != nil {
			t.Fatal(err)
		}
		return sheet.Width
	}
	if twenty, three := width(), width("--columns=3"); three*20 > twenty*6 {
		t.Errorf("a sheet of 20 columns is %d pixels wide, one of 3 columns %d", twenty, three)
	}
	images := "folder:" + imageFolder(t)
	for _, c := range []struct{ option, want string }{{"channels=1", `"shape":[1,28,28]`}, {"channels=3", `"shape":[3,28,28]`}} {
		code, out, log := feddag("data", "info", images, "--data-dir="+t.TempDir(), "--dataset-option="+c.option)
		if code != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %q: %s%s", c.option, code, c.want, out, log)
		}
	}
}
