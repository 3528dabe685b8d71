package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"feddag/internal/lockfile"
)

// Lock locks the directory until Close, so that no other process writes to it. If another process has the lock, the error
// names that process. Warnings of the lock are written to log.
func (d *Dir) Lock(ctx context.Context, log io.Writer) (err error) {
	d.lock, err = acquire(ctx, d.path, log)
	return err
}

// LockedBy sets a lock that the caller has acquired. Close releases it.
func (d *Dir) LockedBy(lock *lockfile.Lock) { d.lock = lock }

// Close releases the lock.
func (d *Dir) Close() error {
	err := d.lock.Release()
	d.lock = nil
	if err != nil {
		return fmt.Errorf("releasing %s: %w", d.Path(LockFile), cause(err))
	}
	return nil
}

// LockDir locks the directory of a run, which may not have begun yet.
func LockDir(ctx context.Context, path string, log io.Writer) (*lockfile.Lock, error) {
	return acquire(ctx, path, log)
}

// InheritedLock returns the lock of a run directory that the parent process holds and whose file this process inherited.
func InheritedLock(f *os.File, path string) (*lockfile.Lock, error) {
	lock, err := lockfile.Adopt(f, filepath.Join(path, LockFile))
	if err != nil {
		return nil, fmt.Errorf("the lock of run directory %s: %w", path, cause(err))
	}
	return lock, nil
}

func acquire(ctx context.Context, path string, log io.Writer) (*lockfile.Lock, error) {
	lock, err := lockfile.Acquire(ctx, filepath.Join(path, LockFile), log)
	var held *lockfile.HeldError
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &held):
		return nil, fmt.Errorf("run directory %s is %w", path, err)
	}
	return nil, fmt.Errorf("run directory %s cannot be written: locking it: %w", path, cause(err))
}

// User is the process that writes to a run directory, or did so until it was killed.
type User struct {
	Dir    string
	Holder lockfile.Holder
	Seen   time.Time // time of the last update of the lock
}

// Users returns the users of the runs in a directory, including the runs of comparisons in it.
func Users(path string) ([]User, error) {
	var users []User
	for _, pattern := range []string{"*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(path, pattern, LockFile))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				continue // it was released meanwhile
			}
			if holder, err := lockfile.Read(file); err == nil {
				users = append(users, User{filepath.Dir(file), holder, info.ModTime()})
			}
		}
	}
	return users, nil
}
