package partition

import (
	"os"
	"path/filepath"
	"testing"

	"feddag/internal/archivetest"
)

// A partition in a malicious archive is rejected.
func TestHostilePartitions(t *testing.T) {
	s := labelSet(even(10, 3), even(10, 2))
	for k, named := range archivetest.Attacks("train.npy", "") {
		t.Run(named.Name, func(t *testing.T) {
			home := t.TempDir()
			a := archivetest.Attacks("train.npy", home)[k]
			file := filepath.Join(home, "a", "p.npz")
			if err := os.Mkdir(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, archivetest.Zip(t, a.File), 0o666); err != nil {
				t.Fatal(err)
			}
			archivetest.Refused(t, home, func() error {
				_, err := Read(file, s)
				return err
			}, file+": ", a.Words)
		})
	}
}
