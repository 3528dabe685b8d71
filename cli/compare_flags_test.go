package cli

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/pflag"
)

// TestCompareReadFlagsHaveAnEffect checks that each flag of compare that affects what is read and shown changes the tables of
// kept runs, or the written files.
func TestCompareReadFlagsHaveAnEffect(t *testing.T) {
	const archive = "../benchmarks/results/cifar10/II.zip"
	beside := filepath.Join(t.TempDir(), "beside.csv")
	write(t, beside, []byte("algorithm,mean\nifca,12.5\n"))
	read := func(t *testing.T, flag string) string {
		t.Helper()
		tmp := t.TempDir()
		args := []string{"compare", "--read", archive, "--quiet", "--out=" + filepath.Join(tmp, "out")}
		if flag != "" {
			args = append(args, "--"+strings.ReplaceAll(flag, "TMP", tmp))
		}
		code, out, log := feddag(args...)
		if code != exitDone {
			t.Fatalf("%q: exit code %d: %s", flag, code, log)
		}
		made := []string{out}
		err := filepath.WalkDir(tmp, func(path string, _ fs.DirEntry, err error) error {
			if made = append(made, path); filepath.Base(path) == "compare.md" {
				made = append(made, string(mustRead(t, path)))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.Join(made, "\n"), tmp, "")
	}
	without := read(t, "")
	for _, flag := range []string{
		"algorithms=feddag,ifca", "seeds=101,102", "reference=ifca", "confidence=0.5", "uncorrected", "target=20", "rounds=3", "beside=" + beside, "plots=png",
		"out=TMP/elsewhere", "keep=TMP/kept",
	} {
		name, _, _ := strings.Cut(flag, "=")
		t.Run(name, func(t *testing.T) {
			if read(t, flag) == without {
				t.Errorf("--%s changes nothing", flag)
			}
		})
	}
}

// TestCompareHelpNamesTheFlagsThatItLacks checks that the last sentence of the help names the flags of train that compare refuses, and
// no others.
func TestCompareHelpNamesTheFlagsThatItLacks(t *testing.T) {
	_, help, _ := feddag("compare", "--help")
	_, lacks, ok := strings.Cut(help, ", except ")
	if !ok {
		t.Fatal("the help names no flags that compare lacks")
	}
	named := strings.FieldsFunc(lacks, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) })
	for _, g := range pageOf("train").groups {
		g.flags.VisitAll(func(f *pflag.Flag) {
			_, _, log := feddag("compare", "--"+f.Name+"="+f.Value.String(), "--help")
			refused := strings.Contains(log, "unknown flag") || strings.Contains(log, "compare has no")
			if refused != slices.Contains(named, "--"+f.Name) {
				t.Errorf("--%s: compare refuses it: %v; the help says: except %s", f.Name, refused, lacks)
			}
		})
	}
}
