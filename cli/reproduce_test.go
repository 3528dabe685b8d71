package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report"
)

// TestReproduce repeats a run whose input files no longer exist, and expects every byte to agree. It then repeats a run whose
// model, metrics and partition were changed, and expects these files to be named.
func TestReproduce(t *testing.T) {
	data, first, files := mnist(t), filepath.Join(t.TempDir(), "run"), t.TempDir()
	scenario, base := filepath.Join(files, "scenario.json"), filepath.Join(files, "base")
	write(t, scenario, []byte(`{"version": 2, "events": [{"round": 2, "leave": 5}]}`))
	must(t, small(data, base, "--algorithm", "fedavg", "--rounds", "1", "--final-post=false")...)
	must(t, plain(data, first, "--algorithm", "ifca", "--ifca-clusters", "2", "--rounds", "2", "--scenario", scenario,
		"--partition-file", filepath.Join(base, report.PartitionFile), "--initial-weights", filepath.Join(base, "model/global.safetensors"))...)
	if err := os.RemoveAll(files); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FEDDAG_EPOCHS", "7") // the run did not have this value
	repeat := func(code int) (r reproduced, text string) {
		t.Helper()
		got, out, log := feddag("reproduce", first, "--quiet", "--workers", "1", "--out", filepath.Join(t.TempDir(), "copy"))
		if got != code {
			t.Fatalf("exit code %d: %s%s", got, out, log)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
			t.Fatal(err)
		}
		return r, out
	}
	if r, out := repeat(exitDone); !r.Same || r.Files < 6 || !strings.HasPrefix(out, "every byte agrees: ") {
		t.Errorf("%+v: %s", r, out)
	}

	model := filepath.Join(first, "model/cluster-1.safetensors")
	raw := mustRead(t, first, "model/cluster-1.safetensors")
	raw[len(raw)-1] ^= 1
	write(t, model, raw)
	metrics := strings.Replace(string(mustRead(t, first, report.MetricsFile)), `"samples":`, `"samples":1`, 1)
	write(t, filepath.Join(first, report.MetricsFile), []byte(metrics))
	r, out := repeat(exitFailed)
	if want := []string{"metrics.jsonl", "model/cluster-1.safetensors"}; r.Same || !slices.Equal(r.Differ, want) {
		t.Errorf("%+v: %s", r, out)
	}
	for _, want := range []string{"differs  metrics.jsonl: 1 of 2 lines, from round 1 on\n", "differs  model/cluster-1.safetensors: 1 of "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// TestReproduceRefuses checks the errors for runs and tables that cannot be repeated.
func TestReproduceRefuses(t *testing.T) {
	unfinished := t.TempDir()
	write(t, filepath.Join(unfinished, report.ConfigFile), []byte("algorithm: fedavg\nseed: 1\n"))
	for want, args := range map[string][]string{
		"takes the directory of one run":        {},
		"is not a run directory":                {t.TempDir()},
		"is not finished":                       {unfinished},
		"table 19 is about the clustering only": {"--table", "19", "--dataset", "svhn"},
		"use 2 to 11 or 13 to 18":               {"--table", "20", "--dataset", "svhn"},
		"table 18 uses cifar10, svhn":           {"--table", "18", "--dataset", "fashion-mnist"},
		"did you mean --workers?":               {"--worker", "1", unfinished},
	} {
		if code, _, log := feddag(append([]string{"reproduce"}, args...)...); code != exitUsage || !strings.Contains(log, want) {
			t.Errorf("reproduce %q: exit code %d, want %q: %s", args, code, want, log)
		}
	}
}

// TestSettingsOfTables checks that each table has the settings and the algorithms of the paper, and that the names of the
// variants agree with the file of the paper's numbers.
func TestSettingsOfTables(t *testing.T) {
	for _, c := range []struct {
		table    int
		dataset  string
		settings int
		args     string
	}{
		{2, "fashion-mnist", 1, "--algorithms fedavg,fedbr,fedsoft,pacfl,cfl,cfl-gp,fedgwc,fedrc,ifca,feddag-star,feddag"},
		{4, "cifar100", 2, "--algorithms fedavg,fedprox,per-fedavg,"},
		{5, "svhn", 2, "--algorithms fedavg,"},
		{11, "cifar10-c", 1, "--algorithms fedavg,"},
		{13, "svhn", 1, "--algorithms fedavg,"},
		{6, "svhn", 1, "--with feddag-star as tg 1: --feddag-fusion=fixed:1 --feddag-warmup-rounds=1 "},
		{18, "svhn", 1, "--with feddag as schedule both: --feddag-encoders=2 --feddag-schedule=both "},
	} {
		list, err := settingsOf(c.table, c.dataset)
		if err != nil || len(list) != c.settings || !strings.HasPrefix(strings.Join(list[0].args, " "), c.args) {
			t.Errorf("table %d, %s: %d settings, %v: %v", c.table, c.dataset, len(list), err, list)
		}
		for _, s := range list {
			o := newCompareOptions()
			shared, err := o.parse(append(slices.Clone(s.args), "--preset", s.preset.name))
			if err == nil {
				err = o.variants(&plan{o: o}, shared)
			}
			if err != nil {
				t.Errorf("%s: %v", s.preset.name, err)
			}
			for _, with := range o.with {
				v, _, err := parseWith(with)
				if err != nil || !strings.Contains(string(s.paper), ","+v.name+",") {
					t.Errorf("%s: the paper has no %q (%v)", s.preset.name, v.name, err)
				}
			}
		}
	}
}
