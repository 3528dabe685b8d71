package cli

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"feddag/federation/data"
)

// A run under feature skew with held-out clients: they are in no cluster and have no score, the others are numbered by
// their ids, and the partition of the run says who is what.
func TestTrainWithHeldOutClients(t *testing.T) {
	folder, out := mnist(t), filepath.Join(t.TempDir(), "run")
	code, _, log := feddag(small(folder, out, "--partition", "feature-skew", "--min-samples", "1", "--holdout", "0.34",
		"--partition-option", "corruptions=fog,contrast", "--rounds", "1")...)
	if code != exitDone {
		t.Fatal(log)
	}
	set, err := data.Load("mnist", []string{folder})
	if err != nil {
		t.Fatal(err)
	}
	p, err := data.ReadPartition(filepath.Join(out, partitionFile), set)
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
		if held := p.IsHeldOut(i); held != (cluster == "") || held != (pre == "") {
			t.Errorf("client %d: held out %v, cluster %q, accuracy %q", i, held, cluster, pre)
		}
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
