package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/report"
)

// folderRun are the flags of a run of FedAvg on a data set that imageFolder wrote, with four clients.
func folderRun(dataset, home, out string, more ...string) []string {
	return append(folderRunOf(dataset, home, out, "--partition", "iid", "--clients", "4"), more...)
}

// folderRunOf returns the flags of such a run with the flags of a partition.
func folderRunOf(dataset, home, out string, partition ...string) []string {
	return append([]string{"train", "--algorithm", "fedavg", "--dataset", dataset, "--data-dir", home,
		"--rounds", "2", "--rate", "0.5", "--epochs", "1", "--device", "cpu", "--plots", "svg", "--out", out}, partition...)
}

// must runs the program and stops the test unless it succeeds.
func must(t *testing.T, args ...string) {
	t.Helper()
	if code, _, log := feddag(args...); code != exitDone {
		t.Fatalf("%q: exit code %d: %s", args, code, log)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// copyRun copies a run directory.
func copyRun(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestResumeWithMovedData resumes a run whose images have moved, with each way to specify their new place, and expects the
// bytes of a run that was never stopped. Other images are refused.
func TestResumeWithMovedData(t *testing.T) {
	images, home := imageFolder(t), t.TempDir()
	blankless := filepath.Join(t.TempDir(), "new")
	whole, begun := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "begun")
	must(t, folderRun("folder:"+images, home, whole)...)
	must(t, folderRun("folder:"+images, home, begun, "--rounds", "1")...)
	var env report.Env
	if err := json.Unmarshal(mustRead(t, filepath.Join(whole, "env.json")), &env); err != nil || !data.IsContentHash(env.Extra["data hash"]) {
		t.Errorf("env.json has the data hash %q (%v)", env.Extra["data hash"], err)
	}
	rename(t, images, blankless)

	code, _, log := feddag("train", "--resume", copyRun(t, begun), "--rounds", "2")
	if code != exitFailed || !strings.Contains(log, images) || !strings.Contains(log, "has moved") || !strings.Contains(log, "--dataset") {
		t.Errorf("the images are gone: exit code %d: %s", code, log)
	}
	byFlag, byFile := copyRun(t, begun), copyRun(t, begun)
	must(t, "train", "--resume", byFlag, "--rounds", "2", "--dataset", "folder:"+blankless)
	config := filepath.Join(byFile, "config.yaml")
	edited := regexp.MustCompile(`(?m)^dataset: .*$`).ReplaceAll(mustRead(t, config), []byte("dataset: folder:"+blankless))
	write(t, config, edited)
	must(t, "train", "--resume", byFile, "--rounds", "2")
	want := mustRead(t, filepath.Join(whole, "model/global.safetensors"))
	for _, dir := range []string{byFlag, byFile} {
		if !bytes.Equal(mustRead(t, filepath.Join(dir, "model/global.safetensors")), want) {
			t.Errorf("%s: other weights than those of a run that was never stopped", dir)
		}
	}

	// The runs can be compared, and the partition can be used with the new place.
	prox := filepath.Join(t.TempDir(), "prox")
	must(t, folderRunOf("folder:"+blankless, home, prox, "--algorithm", "fedprox", "--partition-file", filepath.Join(whole, "partition.json"))...)
	p, err := os.ReadFile(filepath.Join(prox, "partition.json"))
	if err != nil || !bytes.Contains(p, []byte(`"data_set": "folder:`+blankless+`"`)) {
		t.Errorf("the partition does not name its set (%v): %.300s", err, p)
	}
	must(t, "compare", "--read", whole, prox, "--out", filepath.Join(t.TempDir(), "compared"))

	// Images of class 1 in the folder of class 0 have the same labels, but other pixels.
	for i := range 32 {
		name := fmt.Sprintf("%02d.png", i)
		write(t, filepath.Join(blankless, "train/class0", name), mustRead(t, filepath.Join(blankless, "train/class1", name)))
	}
	code, _, log = feddag("train", "--resume", byFile, "--rounds", "3", "--quiet")
	hashes := regexp.MustCompile(`\b[0-9a-f]{12}\b`).FindAllString(log, -1)
	if code != exitFailed || strings.Count(log, "\n") != 1 || !strings.Contains(log, "folder:"+blankless) || len(hashes) != 2 || hashes[0] == hashes[1] ||
		!strings.Contains(env.Extra["data hash"], hashes[1]) {
		t.Errorf("other pixels: exit code %d: %s", code, log)
	}
	other := filepath.Join(t.TempDir(), "other")
	args := folderRunOf("folder:"+blankless, home, other, "--partition-file", filepath.Join(whole, "partition.json"))
	if code, _, log := feddag(args...); code != exitFailed || !strings.Contains(log, "other pixels") {
		t.Errorf("--partition-file, other pixels: exit code %d: %s", code, log)
	}
	must(t, folderRun("folder:"+blankless, home, other, "--algorithm", "fedprox")...)
	if code, _, log := feddag("compare", "--read", whole, other, "--out", filepath.Join(t.TempDir(), "compared")); code != exitFailed ||
		!strings.Contains(log, "different data sets") || !strings.Contains(log, hashes[1]) {
		t.Errorf("compare of two contents: exit code %d: %s", code, log)
	}
}

// TestCompareWithMovedData continues a comparison whose images have moved, with a finished run and a run with fewer rounds. A
// comparison with other images is refused.
func TestCompareWithMovedData(t *testing.T) {
	t.Setenv("FEDDAG_TEST_PROGRAM", "1")
	images, home, out := imageFolder(t), t.TempDir(), filepath.Join(t.TempDir(), "c")
	args := func(place, rounds string, more ...string) []string {
		return append([]string{"compare", "--algorithms", "fedavg", "--seeds", "1", "--dataset", "folder:" + place, "--data-dir", home, "--rounds", rounds,
			"--partition", "iid", "--clients", "4", "--rate", "0.5", "--epochs", "1", "--device", "cpu", "--workers", "1", "--out", out}, more...)
	}
	must(t, args(images, "1")...)
	whole := filepath.Join(t.TempDir(), "whole")
	must(t, args(images, "2", "--out", whole)...)
	now := filepath.Join(home, "now")
	rename(t, images, now)

	if code, _, log := feddag(args(now, "1")...); code != exitDone || !strings.Contains(log, "1 of them finished") {
		t.Errorf("a finished run: exit code %d: %s", code, log)
	}
	must(t, args(now, "2")...)
	const model = "fedavg-1/model/global.safetensors"
	if !bytes.Equal(mustRead(t, out, model), mustRead(t, whole, model)) {
		t.Error("the run that went on in another place has other weights")
	}
	write(t, filepath.Join(now, "train/class0/00.png"), mustRead(t, now, "train/class1/00.png"))
	other := filepath.Join(home, "other")
	rename(t, now, other)
	if code, _, log := feddag(args(other, "3")...); code != exitUsage || !strings.Contains(log, "whose content has the hash") || !strings.Contains(log, "fedavg-1") {
		t.Errorf("other images: exit code %d: %s", code, log)
	}
}

// TestResumeWithMovedImagesOfACSV changes one option of the data set, and checks that the run keeps the others.
func TestResumeWithMovedImagesOfACSV(t *testing.T) {
	images, home, out := imageFolder(t), t.TempDir(), filepath.Join(t.TempDir(), "run")
	old, now := filepath.Join(home, "old"), filepath.Join(home, "now")
	rename(t, images, old)
	list := filepath.Join(home, "list.csv")
	text := "user,file,label,split\n"
	for class := range 4 {
		for i := range 40 {
			split := map[bool]string{true: "train", false: "test"}[i < 32]
			text += fmt.Sprintf("u%d,%s/class%d/%02d.png,%d,%s\n", i%5, split, class, i, class, split)
		}
	}
	write(t, list, []byte(text))
	must(t, folderRun("csv:"+list, home, out, "--rounds", "1", "--dataset-option", "images=old", "--dataset-option", "size=20")...)
	rename(t, old, now)
	if code, _, log := feddag("train", "--resume", out, "--rounds", "2"); code != exitFailed || !strings.Contains(log, "--dataset-option") {
		t.Errorf("the images are gone: exit code %d: %s", code, log)
	}
	must(t, "train", "--resume", out, "--rounds", "2", "--dataset-option", "images=now")
	// Another size changes the content.
	if code, _, log := feddag("train", "--resume", out, "--rounds", "3", "--dataset-option", "images=now", "--dataset-option", "size=24"); code != exitFailed ||
		!strings.Contains(log, "other pixels") {
		t.Errorf("another size: exit code %d: %s", code, log)
	}
}

// TestConfigurationHash checks what the hash in a checkpoint depends on, and the hash of a run of an earlier version.
func TestConfigurationHash(t *testing.T) {
	set := &data.Set{
		Name: "folder:/a", Channels: 1, Height: 1, Width: 1, Classes: 2, Mean: []float32{0.5}, Std: []float32{0.25},
		Train: data.Images{Pixels: []byte{1, 2, 3, 4}, Labels: []byte{0, 1, 0, 1}}, Test: data.Images{Pixels: []byte{5, 6}, Labels: []byte{0, 1}},
	}
	p, err := partition.New(set, partition.Options{Kind: "iid", Clients: 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(p *partition.Partition, set *data.Set, args ...string) string {
		t.Helper()
		o, err := parse(append([]string{"--algorithm", "fedavg"}, args...))
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.hash(p, set, []byte("scenario"))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	args := []string{"--dataset", "folder:/a", "--lr", "0.5"}
	now := hash(p, set, args...)
	moved := *p
	moved.DataSet = "csv:/b"
	if got := hash(&moved, set, "--dataset", "csv:/b", "--lr", "0.5", "--data-dir", "/c", "--dataset-option", "images=/d"); got != now {
		t.Error("the hash depends on the place of the data")
	}
	scaled, other := *set, *p
	scaled.Mean = []float32{0.4}
	other.DataHash = "content-sha256:" + strings.Repeat("0", 64)
	for name, got := range map[string]string{
		"the learning rate": hash(p, set, "--dataset", "folder:/a", "--lr", "0.25"),
		"the scaling":       hash(p, &scaled, args...),
		"the content":       hash(&other, set, args...),
	} {
		if got == now {
			t.Errorf("the hash does not depend on %s", name)
		}
	}

	earlier := *p
	earlier.DataHash = set.LabelHash()
	h := sha256.New()
	fmt.Fprint(h, "dataset=folder:/a\ndata-seed=0\nlr=0.5\n")
	if err := earlier.WriteJSON(h); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(h, "scenario")
	if want := hex.EncodeToString(h.Sum(nil)); hash(&earlier, set, args...) != want {
		t.Error("the checkpoint of an earlier program has another hash than that program gave it")
	}
}
