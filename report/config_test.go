package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	d := create(t)
	values := []string{
		"", "1", "-1", "0.01", "1e-4", "true", "lenet", "fashion-mnist", "/data/a b", "fixed:0.5", "a: b", "a #b", "# no",
		"null", "~", "No", "y", ".inf", "-", "- x", "---", "...", "12:30", "007", "1_000", "2026-01-02", "[1,2]", "{a}", "&x", "*x", "!t",
		"|", ">", "%", "@", "`", "'", "\"", "it's", "\\", "tab\there", "new\nline", "ünï", "\u2028", "1,2,3", "ends:", " lead", "trail ", "\x01", "<a&b>", "50%",
	}
	var pairs []Pair
	expected := make(map[string]string)
	for i, v := range values {
		key := "k" + strconv.Itoa(i)
		pairs = append(pairs, Pair{key, v, []string{"", "a comment: with # and\nnewline"}[i%2]})
		expected[key] = v
	}
	if err := d.WriteConfig(pairs); err != nil {
		t.Fatal(err)
	}
	keep(t, "all.yaml", []byte(text(t, d, ConfigFile)))
	got, err := d.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, expected) {
		for k, v := range expected {
			if got[k] != v {
				t.Errorf("%s: %q came back as %q", k, v, got[k])
			}
		}
	}
	if s := text(t, d, ConfigFile); !strings.Contains(s, "k3: 0.01 # a comment: with # and newline\nk4: 1e-4\n") {
		t.Errorf("got\n%s", s)
	}
	want(t, d.WriteConfig([]Pair{{"a b", "", ""}}), "a b")
	want(t, d.WriteConfig([]Pair{{"a", "\xff", ""}}), "UTF-8")

	put(t, d, ConfigFile, "\ufeff---\r\n# comment\n\n  # another\na: 1   # one\nb:   'it''s'  # two\nc: x#y\nd: ~\ne:\nf: # nothing\ng:\t\"\\u00e9\"\n")
	got, err = d.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, map[string]string{"a": "1", "b": "it's", "c": "x#y", "d": "", "e": "", "f": "", "g": "é"}) {
		t.Errorf("got %q", got)
	}
	put(t, d, ConfigFile, "train_share: 0.5\ndata-seed: a_b\n")
	if got, err = d.ReadConfig(); err != nil || !maps.Equal(got, map[string]string{"train-share": "0.5", "data-seed": "a_b"}) {
		t.Errorf("underscores: got %q, %v", got, err)
	}
	for _, bad := range []string{
		"a-b: 1\na_b: 1", "ok: 1",
		"- x", "-", "x", "x:1", "x: [1]", "x: {a: 1}", "x: &a 1", "x: *a", "x: \"open", "x: 'open", "x: 'a' b", "---\nx: 1",
		"a b: 1", "x: a: b", "x: - a", "? x", "x: \"\\q\"", "\x00", "ok: 2", "x: \"",
	} {
		put(t, d, ConfigFile, "ok: 1\n"+bad+"\n")
		_, err := d.ReadConfig()
		want(t, err, ConfigFile, "line ")
	}
	_, err = create(t).ReadConfig()
	want(t, err, ConfigFile)
}

// TestConfigOfOldProgram checks that a configuration that the program wrote with its own YAML writer, before it used a
// library, still has the same meaning.
func TestConfigOfOldProgram(t *testing.T) {
	old, err := (&Dir{path: "testdata/run"}).readConfig()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"algorithm": "feddag", "label": "tiny: one", "preset": "", "lr": "0.01", "weight-decay": "0.0001",
		"feddag-alignment": "true", "dataset-option": "",
	} {
		i := slices.IndexFunc(old, func(p Pair) bool { return p.Key == key })
		if i < 0 || old[i].Value != want || old[i].Comment == "" {
			t.Errorf("%s: line %d of %q, want %q", key, i, old, want)
		}
	}
	d := create(t)
	if err := d.WriteConfig(old); err != nil {
		t.Fatal(err)
	}
	if now, err := d.readConfig(); err != nil || !slices.Equal(now, old) {
		t.Errorf("written again: %v\n%q\n%q", err, now, old)
	}
}

// FuzzConfig checks that every configuration that can be read can be written and read again.
func FuzzConfig(f *testing.F) {
	f.Add("a: 1\nb: 'x'\n")
	f.Add("a: \"")
	f.Add("a: |\n  x\n  y\n? b\n: &c [*d]")
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := parseConfig([]byte(s))
		if err != nil {
			return
		}
		for _, p := range pairs {
			text, err := formatConfig([]Pair{p})
			if err != nil {
				continue // not UTF-8
			}
			back, err := parseConfig(text)
			if err != nil || len(back) != 1 || back[0].Value != p.Value {
				t.Errorf("%q: %q came back as %q, %v", s, p, back, err)
			}
		}
	})
}
