package cli

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report"
)

// testPictures writes the test images of a data set of mnist as PNG files and returns their paths.
func testPictures(t *testing.T, data string) (paths []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "t10k-images-idx3-ubyte"))
	if err != nil {
		t.Fatal(err)
	}
	pixels := raw[16:]
	dir := t.TempDir()
	for i := range len(pixels) / (28 * 28) {
		m := &image.Gray{Pix: pixels[i*28*28 : (i+1)*28*28], Stride: 28, Rect: image.Rect(0, 0, 28, 28)}
		paths = append(paths, writePNG(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), m))
	}
	return paths
}

func writePNG(t *testing.T, path string, m image.Image) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPredictAgreesWithTheRun checks that the classes that predict prints for a client's test images are correct as often as
// in clients.csv: for a cluster model, for a mixture, and for a client with its own labels. The data set is not needed.
func TestPredictAgreesWithTheRun(t *testing.T) {
	data := mnist(t)
	for _, flags := range []string{
		"--algorithm feddag --groups 2 --labels-per-group 5",
		"--algorithm fedrc --fedrc-clusters 2 --partition concept-shift",
	} {
		run := filepath.Join(t.TempDir(), "run")
		if code, _, log := feddag(plain(data, run, strings.Fields(flags+" --clients 6 --lr 0.05 --epochs 3")...)...); code != exitDone {
			t.Fatalf("%s: exit code %d: %s", flags, code, log)
		}
		dir, err := report.Look(run)
		if err != nil {
			t.Fatal(err)
		}
		m, err := dir.ReadModels()
		if err != nil {
			t.Fatal(err)
		}
		pictures := testPictures(t, data)
		client := 4
		if own := slices.IndexFunc(m.Clients, func(c report.ModelClient) bool { return len(c.LabelMap) > 0 }); own >= 0 {
			client = own
		} else if strings.Contains(flags, "concept-shift") {
			t.Fatalf("%s: no client has labels of its own", flags)
		}
		args := []string{"predict", "--run", run, "--client", fmt.Sprint(client)}
		c := m.Clients[client]
		for _, i := range m.TestSets[*c.TestSet] {
			args = append(args, pictures[i])
		}
		code, out, log := feddag(args...)
		if code != exitDone {
			t.Fatalf("%s: exit code %d: %s", flags, code, log)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var result predictions
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
			t.Fatal(err)
		}
		right := 0
		for k, i := range m.TestSets[*c.TestSet] {
			label := int(i) % 10 // see mnist
			name := m.Classes[label]
			if len(c.LabelMap) > 0 {
				label = c.LabelMap[label]
			}
			x := result.Images[k]
			if x.Class == label {
				right++
				if !slices.Contains(strings.Split(x.Name, " or "), name) {
					t.Errorf("%s: class %d is named %s, want %s", flags, x.Class, x.Name, name)
				}
			}
			sum := 0.0
			for _, p := range x.Probabilities {
				sum += p
			}
			if math.Abs(sum-1) > 1e-5 || x.Probability != slices.Max(x.Probabilities) {
				t.Errorf("%s: probabilities %v", flags, x)
			}
		}
		accuracy := fmt.Sprintf("%.4f", 100*float64(right)/float64(len(result.Images)))
		if want := clientRows(t, run)[client]["pre_accuracy"]; accuracy != want || want == "0.0000" {
			t.Errorf("%s: %s%% of the predictions are right, clients.csv has %s", flags, accuracy, want)
		}
	}
}

// TestPredictErrors checks that every mistake has an error that names it.
func TestPredictErrors(t *testing.T) {
	data, run := mnist(t), filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(small(data, run, "--algorithm", "per-fedavg", "--rounds", "1")...); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	good := testPictures(t, data)[0]
	checkFails(t, exitUsage, []string{"--run DIR"}, "predict")
	checkFails(t, exitUsage, []string{"--client N"}, "predict", "--run", run, good)
	checkFails(t, exitUsage, []string{"image files"}, "predict", "--run", run, "--client", "0")
	checkFails(t, exitUsage, []string{"--client 6", "0 to 5"}, "predict", "--run", run, "--client", "6", good)
	checkFails(t, exitUsage, []string{"--client -1", "0 to 5"}, "predict", "--run", run, "--client", "-1", good)
	checkFails(t, exitFailed, []string{"not a run directory"}, "predict", "--run", data, "--client", "1", good)
	checkFails(t, exitFailed, []string{"one step on its training data", "not kept"}, "predict", "--run", run, "--client", "1", good)

	run = filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(small(data, run, "--algorithm", "fedavg", "--rounds", "1", "--holdout", "0.2")...); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	wide := image.NewGray(image.Rect(0, 0, 40, 28))
	colour := image.NewRGBA(image.Rect(0, 0, 28, 28))
	colour.Set(3, 3, color.RGBA{200, 10, 10, 255})
	dir := t.TempDir()
	bad := writePNG(t, filepath.Join(dir, "wide.png"), wide)
	checkFails(t, exitFailed, []string{"wide.png has 40 x 28 pixels", "28 x 28", "--resize"}, "predict", "--run", run, "--client", "0", good, bad)
	if code, _, log := feddag("predict", "--run", run, "--client", "0", "--resize", "area", bad); code != exitDone {
		t.Errorf("--resize: exit code %d: %s", code, log)
	}
	checkFails(t, exitFailed, []string{"colour.png has colours", "grey"}, "predict", "--run", run, "--client", "0", writePNG(t, filepath.Join(dir, "colour.png"), colour))
	checkFails(t, exitFailed, []string{"none.png", "no such file"}, "predict", "--run", run, "--client", "0", filepath.Join(dir, "none.png"))

	model := filepath.Join(run, "model/global.safetensors")
	config, err := os.ReadFile(filepath.Join(run, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	checkFails(t, exitFailed, []string{"global.safetensors", "no such file"}, "predict", "--run", run, "--client", "0", good)
	checkFails(t, exitFailed, []string{"models.json"}, "predict", "--run", unfinished(t, config), "--client", "0", good)
}

// unfinished returns a run directory that only has its configuration.
func unfinished(t *testing.T, config []byte) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), config)
	return dir
}
