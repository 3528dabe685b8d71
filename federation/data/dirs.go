package data

import (
	"os"
	"path/filepath"
	"slices"
)

// DataDirEnv is the environment variable that names a directory of data sets.
const DataDirEnv = "FEDDAG_DATA_DIR"

// SearchDirs returns the directories that are searched for data sets, in order, whether or not they exist: dataDir
// (the flag --data-dir, may be empty), $FEDDAG_DATA_DIR, ./data, ${XDG_CACHE_HOME:-~/.cache}/feddag, then the usual
// directories of torchvision (~/data, torch and torch/datasets in the cache) and Debian (/usr/share/datasets). Each
// set knows the names of its folders in them (FashionMNIST/raw, fashion-mnist, ...).
func SearchDirs(dataDir string) []string {
	var dirs []string
	add := func(dir string) {
		if dir == "" {
			return
		}
		if dir = filepath.Clean(dir); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	add(dataDir)
	add(os.Getenv(DataDirEnv))
	add("data")
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		home = ""
	}
	// The XDG specification says to ignore a relative path.
	cache := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(cache) {
		cache = ""
		if home != "" {
			cache = filepath.Join(home, ".cache")
		}
	}
	if cache != "" {
		add(filepath.Join(cache, "feddag"))
	}
	if home != "" {
		add(filepath.Join(home, "data"))
	}
	if cache != "" {
		add(filepath.Join(cache, "torch"))
		add(filepath.Join(cache, "torch", "datasets"))
	}
	add("/usr/share/datasets")
	return dirs
}
