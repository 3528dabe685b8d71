package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/npy"
	"feddag/report"
)

// superclasses has the coarse label of each class of CIFAR-100, which its files repeat with each image.
var superclasses = []byte{
	4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14,
	16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2,
	10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
}

// cifar100 writes synthetic files in the binary version of CIFAR-100, with as many images of each of the 100 classes, and
// returns the directory of data sets that holds them. A class is a bar of one colour.
func cifar100(t *testing.T, train, test int) string {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "cifar-100-binary")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"train.bin": train, "test.bin": test} {
		var rows []byte
		for i := range 100 * n {
			label := byte(i % 100)
			image := make([]byte, 3*32*32)
			for p := range image {
				image[p] = byte((i*31 + p*7) % 64)
			}
			row := int(label) % 32
			for x := range 32 {
				image[int(label)/32%3*32*32+row*32+x] = 250
			}
			rows = append(append(rows, superclasses[label], label), image...)
		}
		write(t, filepath.Join(folder, name), rows)
	}
	return dir
}

// cifar10C writes synthetic files of CIFAR-10-C: for each corruption 50,000 images, five severities of the same 10,000.
// The files are sparse, so almost all images are black. It returns the directory of data sets that holds them.
func cifar10C(t *testing.T, corruptions ...string) string {
	t.Helper()
	const images, pixels = 50000, 32 * 32 * 3
	dir := t.TempDir()
	folder := filepath.Join(dir, "CIFAR-10-C")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	labels := make([]byte, images)
	for i := range labels {
		labels[i] = byte(i % 10)
	}
	var raw bytes.Buffer
	if err := npy.Write(&raw, &npy.Array{Shape: []int{images}, Data: labels}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "labels.npy"), raw.Bytes())
	for c, corruption := range corruptions {
		var head bytes.Buffer
		if err := npy.WriteHeader(&head, "|u1", []int{images, 32, 32, 3}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, corruption+".npy")
		write(t, path, head.Bytes())
		if err := os.Truncate(path, int64(head.Len())+images*pixels); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := 0; i < images; i += 53 { // a stripe of the corruption's colour in a row that says the label
			if _, err := f.WriteAt(bytes.Repeat([]byte{byte(60 * c), 200, byte(i)}, 32), int64(head.Len()+i*pixels+i%10*3*32*3)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestCampaignScripts runs the scripts of CIFAR-100 and CIFAR-10-C from the data files to the tables, on synthetic files of
// the same formats.
func TestCampaignScripts(t *testing.T) {
	for _, c := range []struct {
		script, data string
		flags        []string
		settings     []string
		newcomers    bool
	}{
		{"cifar100.sh", cifar100(t, 60, 4), nil, []string{"I-30-1"}, false},
		{"cifar10c.sh", cifar10C(t, "contrast", "fog"), []string{"--dataset-option", "corruption=contrast,fog", "--train-share", "0.02", "--eval-share", "0.1"},
			[]string{"IV-cifar10-c"}, true},
	} {
		t.Run(c.script, func(t *testing.T) {
			out := t.TempDir()
			cmd := exec.Command("bash", append([]string{filepath.Join("../benchmarks", c.script), "--data-dir", c.data, "--model", "lenet",
				"--epochs", "1", "--quiet"}, c.flags...)...)
			cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1", "FEDDAG="+os.Args[0], "OUT="+out, "SEEDS=1", "ROUNDS=1",
				"ALGORITHMS=feddag,ifca", "SETTINGS="+strings.Join(c.settings, " "))
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			for _, setting := range c.settings {
				var table report.CompareSummary
				raw, err := os.ReadFile(filepath.Join(out, setting, "compare.json"))
				if err == nil {
					err = json.Unmarshal(raw, &table)
				}
				if err != nil {
					t.Fatal(setting, err)
				}
				var names []string
				for _, a := range table.Algorithms {
					names = append(names, a.Name)
					if x := a.Measures["final_pre"]; len(a.Seeds) != 1 || !(x.Mean > 0) {
						t.Errorf("%s: %s has %d seeds and the accuracy %g", setting, a.Name, len(a.Seeds), x.Mean)
					}
					if _, found := a.Measures["joined_pre"]; found != c.newcomers {
						t.Errorf("%s: accuracies of newcomers of %s: %t", setting, a.Name, found)
					}
				}
				slices.Sort(names)
				if want := []string{"feddag", "ifca"}; !slices.Equal(names, want) || len(table.Missing) > 0 {
					t.Errorf("%s: algorithms %q, want %q; missing %v", setting, names, want, table.Missing)
				}
				text, err := os.ReadFile(filepath.Join(out, setting, "compare.md"))
				if err != nil || !strings.Contains(string(text), "paper, table") {
					t.Errorf("%s: compare.md does not show the paper's table: %v", setting, err)
				}
			}
		})
	}
}
