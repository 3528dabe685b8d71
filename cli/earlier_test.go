package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"feddag/federation/data"
	"feddag/federation/partition"
)

// TestFlagsThatCameLater checks that a run of a version without --pacfl-angle is resumed and read with the distance of that
// version, which is not today's default, and that its hash is that of a run with this distance.
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

// TestClusteringOfEarlierRuns checks that a run of a version without --feddag-clustering, which found clusters by the
// similarity, is resumed and read in this way, and so is a run of the version whose default was similarity. A run whose
// warm-up has no effect records this in its configuration, because otherwise the warm-up of earlier versions would apply.
func TestClusteringOfEarlierRuns(t *testing.T) {
	hash := func(o *options) string {
		t.Helper()
		h, err := o.hash(&partition.Partition{}, &data.Set{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	resume := func(config string) *options {
		t.Helper()
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.yaml"), []byte(config))
		o, err := parse([]string{"--resume", dir})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	value := func(o *options, name string) string { return o.flags.Lookup(name).Value.String() }
	for _, algorithm := range []string{"feddag", "feddag-star", "feddag-dagger"} {
		now, err := parse([]string{"--algorithm", algorithm})
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"--algorithm", algorithm, "--feddag-clustering", "similarity"}
		if algorithm == "feddag" { // earlier programs had two encoders and shared no primary encoder
			args = append(args, "--feddag-encoders", "2", "--feddag-body", "own")
		}
		asked, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		if value(now, "feddag-clustering") != "test" || value(now, "feddag-warmup-rounds") != "0" || value(asked, "feddag-warmup-rounds") != "2" {
			t.Errorf("%s: the default is %s with %s warm-up rounds, and similarity has %s", algorithm, value(now, "feddag-clustering"), value(now, "feddag-warmup-rounds"), value(asked, "feddag-warmup-rounds"))
		}
		for _, recorded := range []string{"", "feddag-clustering: similarity\n"} {
			old := resume("algorithm: " + algorithm + "\nfeddag-warmup-rounds: 2\n" + recorded)
			if value(old, "feddag-clustering") != "similarity" || value(old, "feddag-warmup-rounds") != "2" || hash(old) != hash(asked) || hash(old) == hash(now) {
				t.Errorf("%s, %q: resumed with %s and %s warm-up rounds", algorithm, recorded, value(old, "feddag-clustering"), value(old, "feddag-warmup-rounds"))
			}
		}
		run := keptRun{algorithm: algorithm, config: map[string]string{}}
		run.fillDefaults()
		if x := run.config["feddag-clustering"]; x != "similarity" {
			t.Errorf("%s: read with clusters by %s", algorithm, x)
		}
		args = []string{"--algorithm", algorithm, "--feddag-primary-init", "common", "--feddag-warmup-rounds", "1"}
		if algorithm == "feddag" {
			args = append(args, "--feddag-encoders", "2")
		}
		if algorithm != "feddag-star" {
			args = append(args, "--feddag-head-init", "random", "--feddag-secondary-init", "random")
		}
		unread, err := parse(args[:len(args):len(args)])
		if err == nil {
			t.Errorf("%v: a warm-up that has no effect is accepted", unread.pairs())
		}
		if unread, err = parse(slices.DeleteFunc(args, func(a string) bool { return a == "--feddag-warmup-rounds" || a == "1" })); err != nil {
			t.Fatal(err)
		}
		config := ""
		for _, p := range unread.pairs() {
			config += fmt.Sprintf("%s: %q\n", p.Key, p.Value)
		}
		if again := resume(config); hash(again) != hash(unread) {
			t.Errorf("%s: the hash of a run whose warm-up has no effect changes when it is resumed", algorithm)
		}
	}
}
