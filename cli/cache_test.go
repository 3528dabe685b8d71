package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRunsShareOneCache checks that runs that begin at the same time share one copy of the decoded data set, and that each
// gives the same results as a single run.
func TestRunsShareOneCache(t *testing.T) {
	images, home, dir := imageFolder(t), t.TempDir(), t.TempDir()
	args := func(name string) []string {
		return folderRun("folder:"+images, home, filepath.Join(dir, name), "--workers", "1", "--quiet")
	}
	names := []string{"a", "b", "c"}
	var jobs []*exec.Cmd
	for _, name := range names {
		jobs = append(jobs, program(t, args(name)...))
	}
	for _, job := range jobs {
		if err := job.Wait(); err != nil {
			t.Errorf("a run failed: %v", err)
		}
	}
	cache := filepath.Join(home, "cache")
	copies, err := filepath.Glob(filepath.Join(cache, "folder-*"))
	if err != nil || len(copies) != 1 {
		t.Errorf("the cache has %v (%v)", copies, err)
	}
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(dir, "alone")
	must(t, args("alone")...)
	files := runFiles(t, alone)
	for _, name := range names {
		sameFiles(t, alone, filepath.Join(dir, name), files)
	}
}

// TestCacheRemovedDuringARun removes the cache while a run reads from it, kills the run, and resumes it without the cache.
func TestCacheRemovedDuringARun(t *testing.T) {
	images, home, dir := imageFolder(t), t.TempDir(), t.TempDir()
	args := func(name string) []string {
		return folderRun("folder:"+images, home, filepath.Join(dir, name), "--rounds", "8", "--workers", "1", "--quiet")
	}
	alone, out := filepath.Join(dir, "alone"), filepath.Join(dir, "run")
	must(t, args("alone")...)
	job := program(t, args("run")...)
	waitForRounds(t, out, 1)
	if err := os.RemoveAll(filepath.Join(home, "cache")); err != nil {
		t.Fatal(err)
	}
	waitForRounds(t, out, 3)
	job.Process.Kill()
	job.Wait()
	must(t, "train", "--resume", out, "--workers", "1", "--quiet")
	sameFiles(t, alone, out, runFiles(t, alone))
}
