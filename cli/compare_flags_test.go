package cli

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
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
