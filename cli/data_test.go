package cli

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// imageFolder writes a set of PNG files of 28 x 28 pixels, SPLIT/CLASS/FILE, and returns its folder.
func imageFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my images")
	for class := range 4 {
		for i := range 40 {
			split := "train"
			if i >= 32 {
				split = "test"
			}
			m := image.NewGray(image.Rect(0, 0, 28, 28))
			for p := range 28 * 28 {
				bright := (p*7 + i*13) % 60
				if p/28/7 == class {
					bright += 150
				}
				m.SetGray(p%28, p/28, color.Gray{Y: uint8(bright)})
			}
			path := filepath.Join(dir, split, fmt.Sprintf("class%d", class))
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(filepath.Join(path, fmt.Sprintf("%02d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, m); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestTrainOnAFolder trains on a folder of images, resumes the run, and imports the folder.
func TestTrainOnAFolder(t *testing.T) {
	images, home := imageFolder(t), t.TempDir()
	flags := func(dataset, out string, more ...string) []string {
		return append([]string{"train", "--dataset", dataset, "--data-dir", home, "--clients", "4", "--groups", "2",
			"--labels-per-group", "2", "--rounds", "2", "--epochs", "1", "--device", "cpu", "--out", out}, more...)
	}
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, log := feddag(flags("folder:"+images, out)...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if !strings.Contains(stdout, "image folder") && !strings.Contains(log, images) {
		t.Errorf("no word of the folder:\n%s%s", stdout, log)
	}
	if kept, _ := filepath.Glob(filepath.Join(home, "cache", "folder-*.fdset")); len(kept) != 1 {
		t.Errorf("decoded sets %q", kept)
	}
	if code, _, log := feddag("train", "--resume", out, "--rounds", "3"); code != exitDone || !strings.Contains(log, "round 3/3") {
		t.Errorf("--resume: exit code %d: %s", code, log)
	}
	// An option is part of the run, and so are other images.
	sized := filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(flags("folder:"+images, sized, "--dataset-option", "size=32", "--dataset-option", "channels=3")...); code != exitDone {
		t.Fatalf("options: exit code %d: %s", code, log)
	}
	if b, _ := os.ReadFile(filepath.Join(sized, "config.yaml")); !strings.Contains(string(b), "size=32 channels=3") {
		t.Errorf("config.yaml lacks the options:\n%s", b)
	}
	// A shape that the model, or every model, does not accept.
	for want, more := range map[string][]string{
		"use --model cnn or lenet, or resize": {"--dataset-option", "size=40", "--model", "resnet9"},
		"no model takes images of 3x8x8":      {"--dataset-option", "size=8", "--dataset-option", "channels=3"},
	} {
		small := filepath.Join(t.TempDir(), "run")
		if code, _, log := feddag(flags("folder:"+images, small, more...)...); code != exitUsage || !strings.Contains(log, want) {
			t.Errorf("%q: exit code %d: %s", more, code, log)
		}
	}
	if code, _, log := feddag("train", "--resume", sized, "--rounds", "3"); code != exitDone {
		t.Errorf("--resume with options: exit code %d: %s", code, log)
	}

	code, stdout, log = feddag("data", "import", "mine", images, "--data-dir", home)
	if code != exitDone || !strings.Contains(stdout, "--dataset mine") {
		t.Fatalf("import: exit code %d: %s%s", code, stdout, log)
	}
	if err := os.RemoveAll(images); err != nil {
		t.Fatal(err)
	}
	imported := filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(flags("mine", imported)...); code != exitDone {
		t.Errorf("--dataset mine: exit code %d: %s", code, log)
	}
}

// TestControlCharactersInNames checks that names of classes and users with control characters neither break a table nor reach
// the terminal.
func TestControlCharactersInNames(t *testing.T) {
	images, all := imageFolder(t), t.TempDir()
	for _, split := range []string{"train", "test"} {
		for i, name := range []string{"new\nline", "tab\tname", "esc\x1b[31m"} {
			if err := os.Rename(filepath.Join(images, split, fmt.Sprintf("class%d", i)), filepath.Join(images, split, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Rename(images, filepath.Join(all, "user\n\x1b[32m")); err != nil {
		t.Fatal(err)
	}
	run, home := filepath.Join(t.TempDir(), "run"), t.TempDir()
	set := []string{"--dataset", "folder:" + all, "--data-dir", home, "--clients", "4"}
	for _, args := range [][]string{
		{"data", "info", "folder:" + all, "--data-dir", home},
		append([]string{"partition", "--partition", "domains"}, set...),
		append([]string{"partition", "--partition", "domains", "--min-samples", "99"}, set...),
		append([]string{"train", "--rounds", "1", "--epochs", "1", "--partition", "concept-shift", "--device", "cpu", "--out", run}, set...),
		{"predict", "--run", run, "--client", "0", filepath.Join(all, "user\n\x1b[32m", "test", "class3", "32.png")},
	} {
		_, out, log := feddag(args...)
		text := strings.ReplaceAll(out+log, all+"/user\n\x1b[32m", "") // the argument of predict
		for _, wrong := range []string{"\x1b", "new\nline", "tab\tname", "user\n"} {
			if strings.Contains(text, wrong) {
				t.Errorf("%q prints %q:\n%s", args, wrong, text)
			}
		}
	}
}

func TestDataCommand(t *testing.T) {
	dir, home := mnist(t), t.TempDir()
	t.Chdir(home)
	t.Setenv("HOME", home)
	t.Setenv("FEDDAG_DATA_DIR", "")
	code, out, log := feddag("data", "list", "--data-dir", filepath.Dir(dir))
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, word := range []string{"mnist, MNIST: " + filepath.Join(dir, "train-images-idx3-ubyte"), "svhn, SVHN: not found", "feddag data fetch svhn",
		"folder, image folder: --dataset folder:PATH", "--dataset-option severity=", "looked in, in this order: " + filepath.Dir(dir)} {
		if !strings.Contains(out, word) {
			t.Errorf("list lacks %q:\n%s", word, out)
		}
	}
	code, out, log = feddag("data", "info", "mnist", "--data-dir", dir, "--sheet", "sheet.png")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var info setInfo
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &info); err != nil || info.Train != 300 || info.Test != 60 || info.TrainBy[3] != 30 {
		t.Errorf("summary %+v, %v", info, err)
	}
	if f, err := os.Open("sheet.png"); err != nil {
		t.Error(err)
	} else {
		defer f.Close()
		if _, err := png.Decode(f); err != nil {
			t.Error(err)
		}
	}
	if code, out, log := feddag("data", "verify", "mnist", "--data-dir", dir); code != exitFailed || !strings.Contains(out, "! images: 300 + 60, but there must be 60000 + 10000") || !strings.Contains(log, "not as published") {
		t.Errorf("verify: exit code %d: %s%s", code, out, log)
	}
	for _, c := range []struct {
		args []string
		code int
		word string
	}{
		{[]string{"data"}, exitUsage, "say what to do"},
		{[]string{"data", "fetsch"}, exitUsage, "fetch"},
		{[]string{"data", "info"}, exitUsage, "takes 1"},
		{[]string{"data", "info", "mnits"}, exitUsage, "did you mean mnist?"},
		{[]string{"data", "info", "mnist", "--dataset-option", "size=3"}, exitUsage, "no options"},
		{[]string{"data", "info", "mnist", "--dataset-option", "size"}, exitUsage, "use key=value"},
		{[]string{"data", "fetch", "folder"}, exitFailed, "cannot be fetched"},
		{[]string{"data", "import", "mnist", "mnist", "--data-dir", dir}, exitFailed, "choose another"},
		{[]string{"train", "--dataset", "folder:/nonexistent"}, exitFailed, "folder:/nonexistent not found"},
	} {
		if code, _, log := feddag(c.args...); code != c.code || !strings.Contains(log, c.word) {
			t.Errorf("%q: exit code %d, %s", c.args, code, log)
		}
	}
	if code, out, _ := feddag("data", "--help"); code != exitDone || !strings.Contains(out, "feddag data import") || !strings.Contains(out, "--mirror") {
		t.Errorf("--help: exit code %d: %s", code, out)
	}
	if _, err := os.Stat("data"); err == nil {
		t.Error("./data was made by commands that keep nothing")
	}

	// The errors of fetch name the file and the URL.
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if code, _, log := feddag("data", "fetch", "mnist", "--data-dir", home, "--mirror", s.URL); code != exitFailed ||
		!strings.HasPrefix(log, "fetching "+s.URL+"/train-images-idx3-ubyte.gz\n") || !strings.Contains(log, s.URL+"/train-images-idx3-ubyte.gz: the server answers 404") {
		t.Errorf("fetch: exit code %d: %s", code, log)
	}
	if _, _, log := feddag("data", "fetch", "mnist", "--data-dir", home, "--mirror", s.URL, "--quiet"); strings.Count(log, "\n") != 1 {
		t.Errorf("fetch --quiet: %s", log)
	}
}
