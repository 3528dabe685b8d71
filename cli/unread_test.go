package cli

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/models"

	"github.com/spf13/pflag"
)

// valueOf returns a value that a flag accepts: its default, or a text for flags without a default.
func valueOf(f *pflag.Flag) string {
	if v := defaultOf(f); v != "" {
		return v
	}
	return map[string]string{
		"partition-option": "labels=2", "model": "lenet", "memory": "1GB", "data-seed": "3", "sheet": "x.png", "dataset-option": "size=32",
	}[f.Name]
}

// TestEveryFlagIsReadOrRefused checks that every flag of train and cluster, for every algorithm and every kind of partition,
// either has an effect and is in config.yaml, or is refused with the exit code of wrong usage and a text that names the flag.
func TestEveryFlagIsReadOrRefused(t *testing.T) {
	commands := map[string]func(o *options){
		"train":    func(o *options) {},
		"cluster":  func(o *options) { new(clusterOptions).flags(o) },
		"sketches": func(o *options) { c := clusterOptions{}; c.flags(o); o.flags.Lookup("sketches").Value.Set("x") },
	}
	skipped := []string{"resume", "scenario", "dataset-option", "preset", "out", "label", "partition-file", "data-dir", "sketches", "save-sketches"}
	for command, more := range commands {
		for _, algorithm := range federation.Names() {
			for _, kind := range partition.Kinds() {
				if algorithm != defaultAlgorithm && kind != "label-skew" {
					continue
				}
				args := []string{"--algorithm", algorithm}
				if command != "sketches" {
					args = append(args, "--partition", kind)
				}
				plain, err := parse(args, more)
				if err != nil {
					t.Fatalf("%s %v: %v", command, args, err)
				}
				inForce := map[string]bool{}
				for _, p := range plain.pairs() {
					inForce[p.Key] = true
				}
				plain.flags.VisitAll(func(f *pflag.Flag) {
					if slices.Contains(skipped, f.Name) || slices.Contains(args, "--"+f.Name) || valueOf(f) == "" {
						return
					}
					_, err := parse(append(slices.Clone(args), "--"+f.Name+"="+valueOf(f)), more)
					switch {
					case err == nil && !inForce[f.Name]:
						t.Errorf("%s %v takes --%s, which is not in config.yaml", command, args, f.Name)
					case err != nil && inForce[f.Name] && f.Name != "memory":
						t.Errorf("%s %v refuses --%s, which is in config.yaml: %v", command, args, f.Name, err)
					case err != nil && !strings.Contains(err.Error(), "--"+f.Name+" has no effect "):
						t.Errorf("%s %v: --%s: %v", command, args, f.Name, err)
					}
				})
			}
		}
	}
}

// TestEveryFlagOfPartitionIsReadOrRefused does the same for the command partition, with the folder that --plots needs and
// without the files that it would write.
func TestEveryFlagOfPartitionIsReadOrRefused(t *testing.T) {
	for _, kind := range partition.Kinds() {
		plain := newPartitionOptions()
		plain.partition.Kind = kind
		unread := map[string]bool{}
		for _, u := range plain.unread() {
			unread[u.Name] = true
		}
		plain.flags.VisitAll(func(f *pflag.Flag) {
			if valueOf(f) == "" || slices.Contains([]string{"partition", "dataset-option", "quiet"}, f.Name) {
				return
			}
			o := newPartitionOptions()
			if err := o.flags.Parse([]string{"--partition", kind, "--" + f.Name + "=" + valueOf(f)}); err != nil {
				t.Fatal(err)
			}
			err := o.check()
			if (err != nil) != unread[f.Name] {
				t.Errorf("%s: --%s: %v, and it is unread: %t", kind, f.Name, err, unread[f.Name])
			}
		})
	}
}

// TestEveryFlagOfCompareIsReadOrRefused checks that every flag of train that compare accepts is passed to the run of an
// algorithm or is refused.
func TestEveryFlagOfCompareIsReadOrRefused(t *testing.T) {
	for _, algorithm := range federation.Names() {
		o, err := newOptions(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		unread := map[string]bool{}
		for _, u := range o.unread() {
			unread[u.Name] = true
		}
		o.flags.VisitAll(func(f *pflag.Flag) {
			if instead[f.Name] != "" || valueOf(f) == "" || slices.Contains([]string{"dataset-option", "partition-option"}, f.Name) {
				return
			}
			v := &variant{name: algorithm, algorithm: algorithm}
			err := share([]*variant{v}, []given{{f.Name, valueOf(f)}}, nil)
			goes := slices.Contains(v.args, "--"+f.Name+"="+valueOf(f))
			if goes == unread[f.Name] || goes == (err != nil) {
				t.Errorf("%s: --%s is unread: %t; its run has %v, error %v", algorithm, f.Name, unread[f.Name], v.args, err)
			}
		})
	}
}

// TestEveryReadFlagExists checks that every flag of a kind of partition or of a model exists and that some of them read it.
func TestEveryReadFlagExists(t *testing.T) {
	o, err := newOptions(defaultAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range partition.Kinds() {
		for flag := range partition.Unread(partition.Options{Kind: kind}) {
			if o.flags.Lookup(flag) == nil || !slices.Contains(fileFlags, flag) || len(partition.Readers(flag)) == 0 {
				t.Errorf("--%s, which %s does not read", flag, kind)
			}
		}
	}
	for _, flag := range models.Flags() {
		if o.flags.Lookup(flag) == nil || len(models.Readers(flag)) == 0 {
			t.Errorf("--%s of the models", flag)
		}
	}
	for verb, v := range dataVerbs {
		for _, name := range v.flags {
			if newDataFlags().all.Lookup(name) == nil {
				t.Errorf("data %s reads --%s, which does not exist", verb, name)
			}
		}
	}
	for _, name := range federation.Names() {
		o, err := newOptions(name)
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := o.alg.(federation.Unreader); ok {
			for _, u := range a.Unread() {
				if o.flags.Lookup(u.Name) == nil {
					t.Errorf("%s does not read --%s, which does not exist", name, u.Name)
				}
			}
		}
	}
}

// TestDataFlagsAreReadOrRefused checks that the verbs of data accept the flags that they declare and refuse the others.
func TestDataFlagsAreReadOrRefused(t *testing.T) {
	for _, verb := range slices.Sorted(maps.Keys(dataVerbs)) {
		newDataFlags().all.VisitAll(func(f *pflag.Flag) {
			if slices.Contains(dataVerbs[verb].flags, f.Name) {
				return
			}
			args := []string{"data", verb, "--" + f.Name + "=" + valueOf(f)}
			if f.Name == "mirror" {
				args[2] = "--mirror=http://localhost"
			}
			for range dataVerbs[verb].least {
				args = append(args, "mnist")
			}
			if code, _, log := feddag(args...); code != exitUsage || !strings.Contains(log, "--"+f.Name+" has no effect in data "+verb) {
				t.Errorf("%v: exit code %d: %s", args, code, log)
			}
		})
	}
}

func TestFlagsWithoutEffectAreRefused(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	file := filepath.Join(t.TempDir(), "p.json")
	if code, _, log := feddag("partition", "--dataset", "mnist", "--data-dir", data, "--clients", "4", "--save", file, "--quiet", "--groups", "2"); code != exitDone {
		t.Fatal(log)
	}
	shared := []string{"--dataset", "mnist", "--data-dir", data, "--partition-file", file}
	for _, flag := range []string{"partition=lda", "clients=4", "groups=2", "labels-per-group=3", "label-fraction=0.2", "concentration=1",
		"min-samples=2", "holdout=0.2", "train-share=0.1", "partition-option=a=b", "data-seed=1"} {
		name, _, _ := strings.Cut(flag, "=")
		for _, command := range [][]string{{"train"}, {"cluster"}, {"partition"}, {"compare", "--algorithms", "fedavg,feddag"}} {
			args := slices.Concat(command, shared, []string{"--out", out, "--" + flag})
			if code, _, log := feddag(args...); code != exitUsage || !strings.Contains(log, "--"+name+" has no effect with --partition-file") {
				t.Errorf("%v: exit code %d: %s", args, code, log)
			}
		}
	}
	for _, c := range []struct{ line, says string }{
		{"train --min-samples 3", "with --partition label-skew: it is read by --partition domains, lda"},
		{"train --partition concept-shift --groups 3", "with --partition concept-shift: it is read by --partition label-skew and by"},
		{"train --partition iid --partition-option labels=3", "--partition-option has no effect with --partition iid"},
		{"train --label-fraction 0.3 --labels-per-group 2", "--label-fraction says how many labels"},
		{"train --model lenet --norm group", "with --model lenet: it is read by --model resnet18, resnet9"},
		{"train --norm group", "with the default models cnn, lenet"},
		{"bench --norm group", "with --model lenet"},
		{"train --algorithm feddag-dagger --feddag-own-source=false", "it is read by --algorithm feddag,"},
		{"train --algorithm feddag-dagger --feddag-sources sum", "with --algorithm feddag-dagger"},
		{"train --algorithm feddag-star --feddag-top-k 3", "with --algorithm feddag-star"},
		{"compare --algorithms feddag-star,feddag-dagger --feddag-alignment=false", "with --algorithm feddag-"},
		{"compare --algorithms fedavg --norm group", "with the default models"},
		{"partition --plots png", "--plots has no effect without --out"},
		{"partition --quiet --rows 3", "--rows has no effect with --quiet"},
		{"data list --sheet x.png", "it is read by data info"},
		{"data info mnist --columns 3", "--columns has no effect without --sheet"},
	} {
		if code, _, log := feddag(strings.Fields(c.line)...); code != exitUsage || !strings.Contains(log, c.says) {
			t.Errorf("%s: exit code %d, want %q: %s", c.line, code, c.says, log)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused command left a directory")
	}
	for _, line := range []string{
		"--partition concept-shift --partition-option base=label-skew --groups 3",
		"--partition lda --min-samples 3 --concentration 2",
		"--model resnet9 --norm group",
		"--algorithm feddag-dagger --preset paper",
		"--groups 2 --labels-per-group 3 --engine serial --workers 2",
	} {
		if _, err := parse(strings.Fields(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestCompareSharesFlagsThatAreRead checks that a flag of a comparison is passed to the variants that read it, and to no
// other.
func TestCompareSharesFlagsThatAreRead(t *testing.T) {
	variants := []*variant{{name: "a", algorithm: "feddag"}, {name: "b", algorithm: "feddag-dagger"}, {name: "c", algorithm: "fedavg"}}
	shared := []given{{"feddag-top-k", "3"}, {"norm", "group"}, {"lr", "0.1"}, {"feddag-warmup-rounds", "1"}}
	own := map[*variant][]string{variants[2]: {"--model", "resnet9"}}
	if err := share(variants, shared, own); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"--algorithm feddag --feddag-top-k=3 --lr=0.1 --feddag-warmup-rounds=1",
		"--algorithm feddag-dagger --lr=0.1 --feddag-warmup-rounds=1",
		"--algorithm fedavg --norm=group --lr=0.1 --model resnet9",
	} {
		if got := strings.Join(variants[i].args, " "); got != want {
			t.Errorf("%s: %s, want %s", variants[i].name, got, want)
		}
		if _, err := parse(variants[i].args); err != nil {
			t.Error(err)
		}
	}
}

// TestHelpLeavesOutUnreadFlags checks that the help of a command does not list flags that it always refuses.
func TestHelpLeavesOutUnreadFlags(t *testing.T) {
	for line, absent := range map[string][]string{
		"cluster --help all":                         {"--rounds", "--rate", "--eval-every", "--final-post", "--resume", "--feddag-sources", "--feddag-shift"},
		"train --algorithm feddag-dagger --help all": {"--feddag-top-k", "--feddag-alignment", "--feddag-own-source", "--feddag-sources"},
		"train --algorithm feddag-star --help all":   {"--feddag-top-k", "--feddag-alignment"},
	} {
		code, out, _ := feddag(strings.Fields(line)...)
		for _, flag := range absent {
			if strings.Contains(out, flag+" ") {
				t.Errorf("%s lists %s", line, flag)
			}
		}
		if code != exitDone || !strings.Contains(out, "--feddag-delta ") || !strings.Contains(out, "--epochs ") {
			t.Errorf("%s: exit code %d: %s", line, code, out)
		}
	}
}

// TestHelpOfModelsAndPresets checks that the help shows defaults of 0, the models with their images and flags, and the flags
// that the presets set.
func TestHelpOfModelsAndPresets(t *testing.T) {
	_, out, _ := feddag("train", "--help", "all")
	for _, want := range []string{
		"\nModels:\n", "resnet9        square images of 28 to 35 pixels with one or three channels (--dropout, --norm)\n", "\nPresets:\n",
		"  paper: FedDAG exactly as in the paper\n", " --feddag-clustering=similarity ", "given (default 0)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if _, out, _ := feddag("data", "fetch", "--help"); strings.Contains(out, "contact sheet") || !strings.Contains(out, "--mirror ") {
		t.Errorf("data fetch --help: %s", out)
	}
	if _, out, _ := feddag("data", "--help"); !strings.Contains(out, "contact sheet") || !strings.Contains(out, "--mirror ") {
		t.Errorf("data --help: %s", out)
	}
}

// TestConfigHasWhatWasInForce checks that config.yaml has the flags that had an effect, and that flags of an earlier version
// without effect can still be read.
func TestConfigHasWhatWasInForce(t *testing.T) {
	o, err := parse([]string{"--algorithm", "feddag-dagger", "--partition", "lda", "--model", "lenet"})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, p := range o.pairs() {
		keys[p.Key] = p.Value
	}
	for _, name := range []string{"groups", "labels-per-group", "norm", "feddag-top-k", "feddag-sources", "feddag-delta"} {
		if v, ok := keys[name]; ok {
			t.Errorf("%s: %s", name, v)
		}
	}
	for _, name := range []string{"min-samples", "concentration", "feddag-clustering", "feddag-warmup-rounds", "dropout", "train-share", "data-seed"} {
		if _, ok := keys[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), []byte("algorithm: feddag-dagger\nfeddag-sources: sum\nfeddag-own-source: false\nmin-samples: 7\n"))
	old, err := parse([]string{"--resume", dir})
	if err != nil {
		t.Fatal(err)
	}
	// Flags that an earlier version recorded are part of the run's hash.
	plain, err := parse([]string{"--algorithm", "feddag-dagger"})
	if err != nil {
		t.Fatal(err)
	}
	hash := func(o *options) string {
		h, err := o.hash(&partition.Partition{}, &data.Set{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash(old) == hash(plain) {
		t.Error("the recorded flags are not in the hash")
	}
}
