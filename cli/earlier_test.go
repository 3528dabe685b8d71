package cli

import (
	"path/filepath"
	"testing"

	"feddag/federation/data"
	"feddag/federation/partition"
)

// A run of a program that had no --pacfl-angle is resumed and read with the distance that it had, which is not today's default,
// and its hash is that of a run that asks for this distance.
func TestFlagsThatCameLater(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), []byte("algorithm: pacfl\npacfl-vectors: 3\n"))
	o, err := parse([]string{"--resume", dir})
	if err != nil {
		t.Fatal(err)
	}
	if x := o.flags.Lookup("pacfl-angle").Value.String(); x != "minimum" {
		t.Errorf("resumed with the angle %s", x)
	}
	run := keptRun{algorithm: "pacfl", config: map[string]string{}}
	run.fillDefaults()
	if x := run.config["pacfl-angle"]; x != "minimum" {
		t.Errorf("read with the angle %s", x)
	}
	hash := func(args ...string) string {
		t.Helper()
		o, err := parse(append([]string{"--algorithm", "pacfl"}, args...))
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.hash(&partition.Partition{}, &data.Set{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	resumed, err := o.hash(&partition.Partition{}, &data.Set{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resumed != hash("--pacfl-angle", "minimum") || resumed == hash() {
		t.Error("the hash of a run without the flag is not that of one with the value that stands for it")
	}
}
