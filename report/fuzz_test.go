package report

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
)

// runOnDisk returns the files of a small run.
func runOnDisk(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/run/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files of a run (%v)", err)
	}
	files := map[string][]byte{
		PartitionFile: []byte(`{"version": 1, "kind": "iid", "data_set": "mnist", "data_hash": "", "params": {"a": 1}, "clients": [{"train": [1, 2], "test": [0]}]}`),
		DigestFile:    []byte(`{"data_set": "mnist", "kind": "iid", "params": {"a": [1, "b"]}, "clients": 3, "hash": "ab"}`),
		ScenarioFile:  []byte(`{"events": []}`),
		EnvFile:       []byte(`{"libtorch": "2.11.0", "device": "cpu"}`),
	}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// FuzzRunFiles checks that every file of a run, damaged in any way, is read or gives an error of one line that names it.
func FuzzRunFiles(f *testing.F) {
	files := runOnDisk(f)
	names := slices.Sorted(maps.Keys(files))
	for i, name := range names {
		f.Add(uint8(i), files[name])
	}
	f.Add(uint8(slices.Index(names, MetricsFile)), []byte("{\"round\": -1}\n{\"round\": 1e30}\n"))
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		name := names[int(which)%len(names)]
		damaged := maps.Clone(files)
		damaged[name] = content
		if name == DigestFile {
			delete(damaged, PartitionFile)
		}
		dir := &Dir{path: "run", files: damaged}
		alloctest.Within(t, 8<<20+1000*len(content), func() {
			readAll(t, dir, name)
		})
	})
}

// readAll reads the files of a run, one of which may be damaged.
func readAll(t *testing.T, d *Dir, damaged string) {
	var env Env
	_, config := d.ReadConfig()
	rounds, metrics := d.ReadMetrics()
	assignments, moved := d.ReadAssignments()
	_, clusters := d.ReadClusters()
	summary, summed := d.ReadSummary()
	_, counted := d.CountClients()
	digest, dealt := d.ReadPartitionDigest()
	_, scenario := d.ReadScenario()
	for _, err := range []error{config, metrics, moved, clusters, summed, counted, dealt, scenario, d.ReadJSON(EnvFile, &env)} {
		if err != nil && (!strings.Contains(err.Error(), damaged) || strings.ContainsAny(err.Error(), "\n\r")) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is damaged: %v", damaged, err)
		}
	}
	if dealt == nil {
		_ = digest.String()
	}
	if moved == nil {
		Happenings(assignments)
	}
	if summed == nil {
		_ = summary.Table()
		if _, err := summary.JSON(); err != nil {
			t.Error(err)
		}
	}
	if metrics == nil {
		new(Summary).SetRounds(rounds)
	}
}

// FuzzArchive checks that an archive of runs is read completely or refused, and that nothing of it is written to the disk.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	files := runOnDisk(f)
	for _, name := range keptFiles {
		w, err := z.Create("fedavg-1/" + name)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			f.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := &archive{path: "a.zip", runs: map[string]map[string][]byte{}}
		var err error
		// Deflate may pack a thousand bytes into one, and reading to the end doubles a buffer.
		alloctest.Within(t, 8<<20+5000*len(raw), func() { err = a.unpack(raw) })
		for run := range a.runs {
			if !filepath.IsLocal(run) || filepath.Base(run) != run {
				t.Errorf("a run is named %q", run)
			}
			if err == nil {
				readAll(t, a.dir(run), run)
			}
		}
	})
}

func FuzzBeside(f *testing.F) {
	f.Add("algorithm,mean,std,source,dataset,over\n# from a paper\nfedavg,99,1.5,Table 3,mnist|cifar10,\nfeddag,98,,x,mnist,joined\n")
	f.Add("algorithm,mean\n\"a\nb\",nan\n")
	path := filepath.Join(f.TempDir(), "paper.csv")
	settings := map[string]string{"dataset": "mnist", "rate": "0.5", "rounds": "200"}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		alloctest.Within(t, 1<<20+1000*len(text), func() {
			all, err := ReadBeside(path, settings)
			if err != nil && (!strings.Contains(err.Error(), "paper.csv") || strings.ContainsAny(err.Error(), "\n\r")) {
				t.Error(err)
			}
			for _, b := range all {
				_ = b.title()
			}
		})
	})
}
