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

// Lock locks the directory until Close: no other process writes there. If another
// process has it, the error names that process. log gets the warnings of the
// lock.
func (d *Dir) Lock(ctx context.Context, log io.Writer) (err error) {
	d.lock, err = acquire(ctx, d.path, log)
	return err
}

// LockedBy gives the directory a lock that the caller has. Close releases it.
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

// LockDir locks the directory of a run that may not have begun.
func LockDir(ctx context.Context, path string, log io.Writer) (*lockfile.Lock, error) {
	return acquire(ctx, path, log)
}

// InheritedLock is the lock of a run's directory that the parent process holds,
// whose file this process inherited.
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

// User is the process that writes into a run directory, or did when it was
// killed.
type User struct {
	Dir    string
	Holder lockfile.Holder
	Seen   time.Time // when it last wrote into its lock
}

// Users finds the locks in a directory of runs and in the comparisons in it.
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
