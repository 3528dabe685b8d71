package cli

import (
	"fmt"
	"path/filepath"
	"testing"

	"feddag/federation/data"
)

// TestRanksOnFashionMNIST compares every file of runs on one, two and three ranks with the files of a process without ranks,
// on real images: FedDAG with both ways to find clusters, FedAvg, IFCA and FedRC.
func TestRanksOnFashionMNIST(t *testing.T) {
	long(t)
	var dir string
	for _, d := range data.SearchDirs("") {
		if found, _ := filepath.Glob(filepath.Join(d, "fashion-mnist", "train-images-idx3-ubyte*")); len(found) > 0 && filepath.IsAbs(d) {
			dir = d
			break
		}
	}
	if dir == "" {
		t.Skip("Fashion-MNIST is not installed: install the package dataset-fashion-mnist")
	}
	for name, flags := range map[string][]string{
		"feddag":            {"--algorithm", "feddag"},
		"feddag similarity": {"--algorithm", "feddag", "--feddag-clustering", "similarity"},
		"fedavg":            {"--algorithm", "fedavg"},
		"ifca":              {"--algorithm", "ifca"},
		"fedrc":             {"--algorithm", "fedrc"},
	} {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			args := func(out string) []string {
				return append([]string{"train", "--dataset", "fashion-mnist", "--data-dir", dir, "--clients", "12", "--rounds", "3", "--rate", "0.5",
					"--epochs", "1", "--train-share", "0.1", "--model", "lenet", "--device", "cpu", "--workers", "1", "--out", out}, flags...)
			}
			whole := filepath.Join(tmp, "whole")
			must(t, args(whole)...)
			files := runFiles(t, whole)
			for _, size := range []int{1, 2, 3} {
				out := filepath.Join(tmp, fmt.Sprint("ranks", size))
				mustRanks(t, size, func(int) []string { return args(out) })
				sameFiles(t, whole, out, files)
			}
		})
	}
}
