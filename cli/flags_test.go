package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUnderscoresInFlags checks that underscores in the names of flags are equivalent to dashes.
func TestUnderscoresInFlags(t *testing.T) {
	o, err := parse([]string{"--train_share", "0.5", "--labels_per-group=3", "--feddag_top_k=3"})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"train-share": "0.5", "labels-per-group": "3", "feddag-top-k": "3"} {
		if f := o.flags.Lookup(name); f == nil || f.Value.String() != value || !f.Changed {
			t.Errorf("--%s is %v, want %s", name, f, value)
		}
	}
	for _, p := range o.pairs() {
		if strings.Contains(p.Key, "_") {
			t.Errorf("config.yaml has the key %s", p.Key)
		}
	}
	shared, err := newCompareOptions().parse([]string{"--algorithms", "fedavg", "--train_share", "0.5"})
	if err != nil || !slices.Equal(shared, []given{{"train-share", "0.5"}}) {
		t.Errorf("compare: %v, %v", shared, err)
	}
	v, args, err := parseWith("feddag: --feddag_top_k 3")
	if err != nil || v.name != "feddag top-k=3" {
		t.Fatalf("--with: %v, %v", v, err)
	}
	if x, err := parse(append([]string{"--algorithm", v.algorithm}, args...)); err != nil || x.flags.Lookup("feddag-top-k").Value.String() != "3" {
		t.Errorf("--with: %v", err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"train", "--train_shar", "1"}, "did you mean --train-share?"},
		{[]string{"train", "--algorithm", "fedavg", "--feddag_top_k", "3"}, "of --algorithm feddag"},
		{[]string{"partition", "--data_see", "1"}, "did you mean --data-seed?"},
		{[]string{"compare", "--read", "--confidenc_e", "1", "x"}, "did you mean --confidence?"},
	} {
		if code, _, log := feddag(c.args...); code != exitUsage || !strings.Contains(log, c.says) {
			t.Errorf("feddag %v: exit code %d, want %q: %s", c.args, code, c.says, log)
		}
	}
}

// TestUnderscoresInConfig checks that a config.yaml that was written by hand may have underscores.
func TestUnderscoresInConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), []byte("algorithm: fedavg\ntrain_share: 0.25\nclients: 7\n"))
	o, err := parse([]string{"--resume", dir, "--final_post=false"})
	if err != nil {
		t.Fatal(err)
	}
	if f := o.flags.Lookup("train-share"); f.Value.String() != "0.25" || o.run.FinalPost {
		t.Errorf("train-share %s, final-post %v", f.Value, o.run.FinalPost)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("train_share: 0.25\ntrain-share: 0.5\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := parse([]string{"--resume", dir}); err == nil || !strings.Contains(err.Error(), "comes twice") {
		t.Errorf("one flag twice: %v", err)
	}
}
