package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/report"
)

// TestTotalsWithoutHeldOutClients checks that what held-out clients send, receive and compute when they join after the last round
// is not in the totals of the run, but separate.
func TestTotalsWithoutHeldOutClients(t *testing.T) {
	folder := mnist(t)
	for algorithm, flags := range map[string][]string{
		"ifca": {"--ifca-redraw=false", "--ifca-clusters", "2"}, // a newcomer receives and evaluates both models
		"fblg": nil,                                             // every client sends and trains a model before the first round or when it joins
	} {
		out := filepath.Join(t.TempDir(), algorithm)
		args := plain(folder, out, "--algorithm", algorithm, "--clients", "6", "--holdout", "0.34", "--rounds", "2")
		if code, _, log := feddag(append(args, flags...)...); code != exitDone {
			t.Fatal(log)
		}
		dir, err := report.Look(out)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := dir.ReadSummary()
		if err != nil {
			t.Fatal(err)
		}
		rounds, err := dir.ReadMetrics()
		if err != nil {
			t.Fatal(err)
		}
		before := [4]int64{sum.BytesUp, sum.BytesDown, sum.TrainingSamples, sum.ForwardSamples}
		for _, r := range rounds {
			for k, n := range []int64{r.BytesUp, r.BytesDown, r.TrainingSamples, r.ForwardSamples} {
				before[k] -= n
			}
		}
		h := sum.HeldOut.Cost
		switch algorithm {
		case "ifca":
			if before != [4]int64{} || h.BytesUp != 0 || h.BytesDown != 2*rounds[0].BytesDown/int64(len(rounds[0].Clients)) || h.TrainingSamples != 0 || h.ForwardSamples == 0 {
				t.Errorf("ifca: before the rounds %v, held-out clients %+v", before, h)
			}
		case "fblg":
			if before[0] != 4*h.BytesUp/2 || before[1] != before[0] || h.BytesDown != h.BytesUp || before[2] == 0 || h.TrainingSamples == 0 || before[3] != 0 {
				t.Errorf("fblg: before the rounds %v, held-out clients %+v", before, h)
			}
		}
	}
}

// TestTrainWithHeldOutClients checks a run with feature skew and held-out clients. They are not clustered with the others,
// join after the last round and have separate scores. The other clients keep their ids, and the partition of the run says
// which clients are held out.
func TestTrainWithHeldOutClients(t *testing.T) {
	folder, out := mnist(t), filepath.Join(t.TempDir(), "run")
	code, stdout, log := feddag(plain(folder, out, "--clients", "6", "--partition", "feature-skew", "--min-samples", "1", "--holdout", "0.34",
		"--partition-option", "corruptions=fog,contrast", "--rounds", "1")...)
	if code != exitDone {
		t.Fatal(log)
	}
	set, err := data.Load(t.Context(), "mnist", data.LoadOptions{Dirs: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := partition.Read(filepath.Join(out, report.PartitionFile), set)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.HeldOut) != 2 || len(p.Views) != 2 {
		t.Fatalf("held out %v, views %v", p.HeldOut, p.Views)
	}
	f, err := os.Open(filepath.Join(out, "clients.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 7 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		cluster, pre := row[slices.Index(rows[0], "cluster")], row[slices.Index(rows[0], "pre_accuracy")]
		if cluster == "" || pre == "" {
			t.Errorf("client %d: cluster %q, accuracy %q", i, cluster, pre)
		}
	}
	if !strings.Contains(stdout, `"held_out":{"clients":2`) || !strings.Contains(stdout, "2 clients after the last round") {
		t.Errorf("no held-out clients in the summary: %s", stdout)
	}
	var found struct {
		Clusters [][]int
		Clients  []int
		Groups   []int `json:"true_groups"`
	}
	raw, err := os.ReadFile(filepath.Join(out, "clusters.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		t.Fatal(err)
	}
	var members []int
	for _, c := range found.Clusters {
		members = append(members, c...)
	}
	slices.Sort(members)
	if !slices.Equal(members, found.Clients) || len(members) != 4 {
		t.Errorf("clusters %v of clients %v", found.Clusters, found.Clients)
	}
	for k, i := range found.Clients {
		if p.IsHeldOut(i) || found.Groups[k] != p.Groups[i] {
			t.Errorf("client %s is held out, or of another group", strconv.Itoa(i))
		}
	}
}

// TestPartitionCommand checks that the command shows, writes and converts partitions, and that the written files divide the
// data set in the same way, also in train.
func TestPartitionCommand(t *testing.T) {
	folder := mnist(t)
	for _, kind := range []string{"label-skew", "lda", "iid", "pairs", "labels", "concept-shift", "feature-skew"} {
		dir := t.TempDir()
		jsonFile, npzFile, out := filepath.Join(dir, "p.json"), filepath.Join(dir, "sub", "p.npz"), filepath.Join(dir, "out")
		args := []string{"partition", "--dataset", "mnist", "--data-dir", folder, "--partition", kind, "--clients", "12",
			"--holdout", "0.25", "--rows", "5"}
		if slices.Contains([]string{"lda", "concept-shift", "feature-skew"}, kind) {
			args = append(args, "--min-samples", "2")
		}
		files := 6
		if kind == "lda" {
			args = append(args, "--plots", "svg,png,pdf")
			files = 10
		}
		code, stdout, log := feddag(append(args, "--save", jsonFile, "--save", npzFile, "--out", out)...)
		if code != exitDone {
			t.Fatalf("%s: %s", kind, log)
		}
		var sum partitionSummary
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
			t.Fatal(err)
		}
		if sum.Clients != 12 || sum.HeldOut != 3 || sum.Partition != kind || sum.Samples+sum.Unused != 300 || len(sum.Files) != files {
			t.Errorf("%s: %+v", kind, sum)
		}
		for _, file := range sum.Files {
			if st, err := os.Stat(file); err != nil || st.Size() == 0 {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if !strings.Contains(stdout, "(7 more clients: --rows 12)") || !strings.Contains(stdout, "held out of training: clients") {
			t.Errorf("%s: %s", kind, stdout)
		}
		// Both files, and the files converted from them, give the same partition.
		first, err := os.ReadFile(jsonFile)
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(dir, "again.json")
		code, stdout, log = feddag("partition", "--dataset", "mnist", "--data-dir", folder, "--partition-file", npzFile, "--save", again, "--quiet")
		if code != exitDone || strings.Count(stdout, "\n") != 1 {
			t.Fatalf("%s: %s%s", kind, stdout, log)
		}
		if second, err := os.ReadFile(again); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: JSON, .npz and JSON again are not the same (%v)", kind, err)
		}
	}
}

// TestNaturalTakesAllUsers checks that all users are clients in the partition natural. With a smaller number of clients, the
// program prints how many samples are left over; a larger number is an error.
func TestNaturalTakesAllUsers(t *testing.T) {
	images := imageFolder(t)
	var list strings.Builder
	list.WriteString("user,file,label\n")
	for class := range 4 {
		for i := range 32 {
			fmt.Fprintf(&list, "user%d,train/class%d/%02d.png,class%d\n", i%5, class, i, class)
		}
	}
	sheet := filepath.Join(images, "list.csv")
	write(t, sheet, []byte(list.String()))
	home, out := t.TempDir(), filepath.Join(t.TempDir(), "run")
	shared := []string{"--dataset", "csv:" + sheet, "--data-dir", home, "--partition", "natural"}
	run := append([]string{"train", "--algorithm", "fedavg", "--rounds", "1", "--epochs", "1", "--device", "cpu", "--out", out}, shared...)
	if code, _, log := feddag(run...); code != exitDone || !strings.Contains(log, ": 5 clients") || strings.Contains(log, "belong to no client") {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if config := string(mustRead(t, out, "config.yaml")); !strings.Contains(config, "\nclients: 5 ") || strings.Contains(config, "min-samples") {
		t.Errorf("config.yaml: %s", config)
	}
	if code, _, log := feddag("train", "--resume", out, "--rounds", "2"); code != exitDone || !strings.Contains(log, "round 2/2") {
		t.Errorf("--resume: exit code %d: %s", code, log)
	}
	code, _, log := feddag(append([]string{"partition", "--clients", "3"}, shared...)...)
	if code != exitDone || !strings.Contains(log, "3 of 5 users are clients") || !strings.Contains(log, "training samples belong to no client") {
		t.Errorf("--clients 3: exit code %d: %s", code, log)
	}
	code, _, log = feddag(append([]string{"partition", "--clients", "6"}, shared...)...)
	if code != exitUsage || !strings.Contains(log, "--clients 6") || !strings.Contains(log, "5 users") {
		t.Errorf("--clients 6: exit code %d: %s", code, log)
	}
	// A comparison finds the run that it has made.
	t.Setenv("FEDDAG_TEST_PROGRAM", "1")
	compare := append([]string{"compare", "--algorithms", "fedavg", "--seeds", "1", "--rounds", "1", "--epochs", "1", "--device", "cpu",
		"--out", filepath.Join(t.TempDir(), "c")}, shared...)
	for range 2 {
		if code, _, log := feddag(compare...); code != exitDone {
			t.Fatalf("compare: exit code %d: %s", code, log)
		}
	}
	// The indices of each client, without anything else, are a partition too.
	file := filepath.Join(t.TempDir(), "p.json")
	write(t, file, []byte("[[0, 1, 2], [3, 4], [60, 61]]"))
	code, stdout, log := feddag("partition", "--dataset", "csv:"+sheet, "--data-dir", home, "--partition-file", file)
	if code != exitDone || !strings.Contains(stdout, "imported of") {
		t.Errorf("a plain list: exit code %d: %s%s", code, stdout, log)
	}
}

func TestPartitionCommandRefuses(t *testing.T) {
	folder := mnist(t)
	full := t.TempDir()
	write(t, filepath.Join(full, "x"), nil)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--partition", "lad"}, exitUsage, "did you mean lda?"},
		{[]string{"--partiton", "lda"}, exitUsage, "did you mean --partition?"},
		{[]string{"--clients", "many"}, exitUsage, "--clients"},
		{[]string{"--clients", "301"}, exitUsage, "300 training samples"},
		{[]string{"--rows", "-1"}, exitUsage, "--rows"},
		{[]string{"--train-share", "0"}, exitUsage, "--train-share is 0"},
		{[]string{"--save", "p.txt"}, exitUsage, ".json or .npz"},
		{[]string{"--holdout", "1"}, exitUsage, "--holdout"},
		{[]string{"--data-seed", "x"}, exitUsage, "--data-seed"},
		{[]string{"--partition-option", "x"}, exitUsage, "key=value"},
		{[]string{"--partition-file", filepath.Join(full, "x")}, exitFailed, "the file is empty"},
		{[]string{"--partition-file", filepath.Join(full, "y")}, exitFailed, "y"},
		{[]string{"--out", full, "--clients", "6"}, exitFailed, "not empty"},
		{[]string{"--save", filepath.Join(full, "x", "p.json"), "--clients", "6"}, exitFailed, "--save"},
		{[]string{"now"}, exitUsage, "now"},
	} {
		args := append([]string{"partition", "--dataset", "mnist", "--data-dir", folder, "--quiet"}, c.args...)
		code, _, log := feddag(args...)
		if code != c.code || !strings.Contains(log, c.says) || strings.Contains(log, "goroutine") {
			t.Errorf("%v: exit code %d, want %d and %q\n%s", c.args, code, c.code, c.says, log)
		}
	}
	code, stdout, _ := feddag("partition", "--help")
	if code != exitDone || !strings.Contains(stdout, "feature-skew") || !strings.Contains(stdout, "--holdout") {
		t.Errorf("help: %s", stdout)
	}
}
