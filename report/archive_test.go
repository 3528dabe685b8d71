package report

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// oldRun returns a copy of a run of an old version, with the digest of a partition.
func oldRun(t *testing.T) *Dir {
	t.Helper()
	d := &Dir{path: filepath.Join(t.TempDir(), "old")}
	if err := os.CopyFS(d.path, os.DirFS("testdata/run")); err != nil {
		t.Fatal(err)
	}
	put(t, d, DigestFile, `{"data_set": "mnist", "kind": "label-skew", "params": {"groups": 2}, "clients": 8, "hash": "1f"}`)
	return d
}

func keepIn(t *testing.T, path string, run *Dir, names ...string) {
	t.Helper()
	k, err := OpenKept(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := k.Keep(name, run); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

func runNames(dirs []*Dir) (names []string) {
	for _, d := range dirs {
		names = append(names, filepath.Base(d.Path()))
	}
	return names
}

// TestKept checks that a run reads the same in its directory, in a directory that keeps it, and in an archive, and that the
// bytes of the archive do not depend on the order or the time of keeping.
func TestKept(t *testing.T) {
	run, dir := oldRun(t), t.TempDir()
	kept, one, two := filepath.Join(dir, "kept"), filepath.Join(dir, "one.zip"), filepath.Join(dir, "two.zip")
	keepIn(t, kept, run, "a-1")
	keepIn(t, one, run, "b-1", "a-1")
	keepIn(t, two, run, "a-1")
	keepIn(t, two, run, "b-1")
	first, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(two); !bytes.Equal(first, second) {
		t.Error("the same runs in another order give another archive")
	}
	want, err := run.ReadSummary()
	if err != nil {
		t.Fatal(err)
	}
	for path, runs := range map[string][]string{
		run.Path(): {"old"}, kept: {"a-1"}, one: {"a-1", "b-1"}, filepath.Join(one, "b-1"): {"b-1"}, dir: {"a-1", "b-1", "a-1", "b-1"},
	} {
		dirs, err := Runs(path)
		if err != nil || !slices.Equal(runNames(dirs), runs) {
			t.Errorf("%s has %q, %v; want %q", path, runNames(dirs), err, runs)
			continue
		}
		d := dirs[0]
		got, err := d.ReadSummary()
		if err != nil || got.Final != want.Final {
			t.Errorf("%s: summary %+v, %v", path, got, err)
		}
		if rounds, err := d.ReadMetrics(); err != nil || len(rounds) != 3 {
			t.Errorf("%s: %d rounds, %v", path, len(rounds), err)
		}
		if n, err := d.CountClients(); err != nil || n != 8 {
			t.Errorf("%s: %d clients, %v", path, n, err)
		}
		if p, err := d.ReadPartitionDigest(); err != nil || p.Hash != "1f" || p.String() != "label-skew (groups 2)" {
			t.Errorf("%s: partition %v, %v", path, p, err)
		}
		if text, err := d.ReadScenario(); text != nil || err != nil {
			t.Errorf("%s: scenario %q, %v", path, text, err)
		}
		config, err := d.ReadConfig()
		if _, out := config["out"]; err != nil || config["lr"] != "0.01" || out != (path == run.Path()) {
			t.Errorf("%s: config %v, %v", path, config, err)
		}
	}
	dirs, _ := Runs(one)
	if err := dirs[0].WriteJSON("x.json", 1); err == nil || !strings.Contains(err.Error(), "only read") {
		t.Errorf("writing into an archive: %v", err)
	}
}

// TestKeptTogether checks that no run is lost if several processes keep runs in the same archive.
func TestKeptTogether(t *testing.T) {
	run, path := oldRun(t), filepath.Join(t.TempDir(), "x.zip")
	var group sync.WaitGroup
	for _, name := range []string{"a-1", "b-1", "c-1", "d-1"} {
		group.Go(func() {
			k, err := OpenKept(path)
			if err == nil {
				err = errors.Join(k.Keep(name, run), k.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if dirs, err := Runs(path); err != nil || len(dirs) != 4 {
		t.Errorf("%q, %v", runNames(dirs), err)
	}
}

func TestBadArchive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bad.zip")
	files := func(names ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("algorithm: fedavg\nseed: 1\n"))
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	good := files("a-1/config.yaml", "a-1/summary.json")
	flipped := slices.Clone(good)
	flipped[len("PK....")+60] ^= 0xff // in the first entry's content
	for name, raw := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "half": good[:len(good)/2], "flipped": flipped, "no run": files(),
		"other file": files("a-1/config.yaml", "a-1/photo.jpg"), "no folder": files("config.yaml"), "deep": files("x/a-1/config.yaml"),
		"outside": files("../config.yaml"), "absolute": files("/config.yaml"), "no config": files("a-1/summary.json"),
		"twice": files("a-1/config.yaml", "a-1/config.yaml"),
	} {
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, dir, filepath.Join(path, "a-1")} {
			if _, err := Runs(p); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: reading %s: error %v", name, p, err)
			}
		}
		if _, err := OpenKept(path); err == nil {
			t.Errorf("%s: keeping runs in it: no error", name)
		}
	}
	if err := os.WriteFile(path, good, 0o666); err != nil {
		t.Fatal(err)
	}
	if dirs, err := Runs(path); err != nil || len(dirs) != 1 {
		t.Errorf("a good one: %v, %v", dirs, err)
	}
	_, err := Runs(filepath.Join(path, "b-1"))
	want(t, err, path, "b-1", "a-1")
	_, err = Runs(filepath.Join(dir, "gone.zip"))
	want(t, err, "gone.zip")

	// Any damage gives an error or a run, but no panic.
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		raw := slices.Clone(good)
		for range 1 + r.IntN(3) {
			raw[r.IntN(len(raw))] = byte(r.IntN(256))
		}
		a := &archive{path: path, runs: map[string]map[string][]byte{}}
		if err := a.unpack(raw[:r.IntN(len(raw)+1)]); err == nil && len(a.runs) == 0 {
			t.Error("no error and no run")
		}
	}
	if _, err := (&Dir{path: path, files: map[string][]byte{}}).ReadConfig(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
