package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"feddag/internal/lockfile"
)

// TestCreateNew checks that runs that begin at the same time with the same name get separate directories.
func TestCreateNew(t *testing.T) {
	for suffix, expected := range map[string][]string{
		"":     {"runs/a", "runs/a-2", "runs/a-3", "runs/a-4", "runs/a-5", "runs/a-6"},
		"job7": {"runs/a", "runs/a-2", "runs/a-3", "runs/a-4", "runs/a-5", "runs/a-job7"},
	} {
		root := t.TempDir()
		var made []string
		var mu sync.Mutex
		var all sync.WaitGroup
		for range len(expected) {
			all.Go(func() {
				d, err := CreateNew(t.Context(), filepath.Join(root, "runs/a"), suffix, io.Discard)
				if err != nil {
					t.Error(err)
					return
				}
				defer d.Close()
				path, _ := filepath.Rel(root, d.Path())
				mu.Lock()
				defer mu.Unlock()
				made = append(made, path)
			})
		}
		all.Wait()
		slices.Sort(made)
		if !slices.Equal(made, expected) {
			t.Errorf("suffix %q: made %v", suffix, made)
		}
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "runs"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := CreateNew(t.Context(), filepath.Join(root, "runs/a"), "", io.Discard)
	want(t, err, "runs", "not a directory", "--out")
	for range 2 {
		if _, err := MakeNew(filepath.Join(root, "compare"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "compare-2")); err != nil {
		t.Error(err)
	}
}

// TestCreateAfterAKill checks that Create accepts a directory with the files of a process that was killed before it had made
// a run, and rejects a directory with anything else.
func TestCreateAfterAKill(t *testing.T) {
	killed := time.Now().Add(-time.Hour)
	leave := func(path string, files ...string) {
		for _, name := range files {
			content := []byte("half")
			if name == LockFile {
				content = []byte(`{"host":"h","pid":7}`)
			}
			if err := os.WriteFile(filepath.Join(path, name), content, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(path, name), killed, killed); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := t.TempDir()
	leave(path, LockFile, PartitionFile, ScenarioFile, EnvFile, ".config.yaml.1.tmp")
	d, err := Create(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if left := names(t, d); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for _, files := range [][]string{{PartitionFile}, {LockFile, PartitionFile, "letter.txt"}, {LockFile, PartitionFile, ConfigFile}} {
		path := t.TempDir()
		leave(path, files...)
		_, err := Create(t.Context(), path, io.Discard)
		want(t, err, path, "--out")
		if _, err := os.Stat(filepath.Join(path, PartitionFile)); err != nil {
			t.Errorf("%v: %v", files, err)
		}
	}
}

func TestLockOfARun(t *testing.T) {
	d := create(t)
	if err := d.WriteConfig([]Pair{{"seed", "1", ""}}); err != nil {
		t.Fatal(err)
	}
	second, err := Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	err = second.Lock(t.Context(), io.Discard)
	want(t, err, d.Path(), fmt.Sprintf("in use by process %d on host", os.Getpid()), "since")
	var held *lockfile.HeldError
	if !errors.As(err, &held) {
		t.Errorf("%v is not a HeldError", err)
	}
	if err := second.Close(); err != nil {
		t.Errorf("closing a directory without a lock: %v", err)
	}
	if _, err := Look(d.Path()); err != nil {
		t.Errorf("reading a run that is in use: %v", err)
	}
	users, err := Users(filepath.Dir(d.Path()))
	if err != nil || len(users) != 1 || users[0].Dir != d.Path() || users[0].Holder.PID != os.Getpid() || time.Since(users[0].Seen) > time.Hour {
		t.Errorf("users %+v, %v", users, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if users, err := Users(filepath.Dir(d.Path())); err != nil || len(users) != 0 {
		t.Errorf("users %+v, %v after the release", users, err)
	}
	if err := second.Lock(t.Context(), io.Discard); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	// The lock of the parent, in the process of the run.
	path := filepath.Join(t.TempDir(), "cell")
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	lock, err := LockDir(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, err := CreateLocked(path, lock); err != nil {
		t.Error(err)
	}
	_, err = InheritedLock(os.NewFile(1<<20, "closed"), path)
	want(t, err, path)
}

// TestUndo checks that a run that could not begin, for example because the disk was full, is undone, so that the same command
// can make it.
func TestUndo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	for range 2 {
		d, err := Create(t.Context(), path, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.WritePartition([]byte("{}")), d.Undo(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
