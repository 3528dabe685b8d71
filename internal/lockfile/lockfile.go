// Package lockfile lets one process at a time work in a directory, on local and on network file systems.
//
// The lock is a file in the directory, which is locked with flock(2). The kernel frees such a lock when its process ends,
// also after SIGKILL. Linux's NFS client passes the lock on to the server, which frees it when the client's lease ends. The
// file says who holds the lock, so that the error of a second process can name the host and the process.
//
// A file system may keep flock within one machine (NFS mounted with local_lock, Lustre with localflock) or not support it.
// So the holder also writes a new beat into the file every few seconds. A process may get the lock and find in the file a
// holder on another machine that has not released it. Then it takes the directory only if the beat has stopped. Without
// flock the beat alone decides, and the process is warned.
//
// The package is our own because the libraries for Go (github.com/gofrs/flock v0.12, cmd/go's lockedfile) lock a file but
// neither name the holder nor notice file systems whose locks do not reach other machines.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Lock is a lock that this process holds.
type Lock struct {
	path   string
	file   *os.File
	holder Holder
	stop   chan struct{} // ends the beat; nil for a lock that another process owns
	beats  sync.WaitGroup
}

// HeldError says that another process holds a lock.
type HeldError struct {
	Path   string // path of the lock file
	Holder Holder // zero if the file does not say
}

// Error names the holder.
func (e *HeldError) Error() string { return "in use by " + e.Holder.String() }

// locker has the functions and times that tests replace.
type locker struct {
	every    time.Duration // time between two beats
	self     func() Holder
	tryLock  func(*os.File) error // errors.Is(err, syscall.EWOULDBLOCK) if another process has the lock
	lookWait time.Duration        // time before a record is read again
}

func newLocker() *locker {
	return &locker{every: 10 * time.Second, self: thisProcess, tryLock: flock, lookWait: 50 * time.Millisecond}
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// silent is the number of missing beats after which a holder counts as gone.
const silent = 3

// Acquire takes the lock at path until Release or the end of the process. The error is a [HeldError] if another process has
// the lock. If it has to wait to find out, or if the file system has no locks, it writes a line to log. The wait ends with
// the context.
func Acquire(ctx context.Context, path string, log io.Writer) (*Lock, error) {
	return newLocker().acquire(ctx, path, log)
}

func (l *locker) acquire(ctx context.Context, path string, log io.Writer) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		lock, err := l.take(ctx, f, path, log)
		if err != nil || lock != nil {
			if err != nil {
				f.Close()
			}
			return lock, err
		}
		f.Close() // its holder removed the file while we opened it
	}
}

// take locks a file that was opened at path. It returns nil if there is now another file at path, or none.
func (l *locker) take(ctx context.Context, f *os.File, path string, log io.Writer) (*Lock, error) {
	err := l.tryLock(f)
	locked := err == nil
	switch {
	case locked:
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, &HeldError{path, l.whoHolds(path)}
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EINVAL):
		fmt.Fprintf(log, "warning: the file system of %s has no locks (%v): a second process in the directory is noticed only some seconds after the first began; on Lustre mount with -o flock\n", path, err)
	default:
		return nil, err
	}
	if ok, err := sameFile(f, path); err != nil || !ok {
		return nil, err
	}
	self := l.self()
	if before, err := Read(path); err == nil && (!locked || before.Boot != self.Boot) {
		alive, err := l.beatsOn(ctx, path, before, log)
		if err != nil {
			return nil, err
		}
		if alive {
			return nil, &HeldError{path, before}
		}
		if ok, err := sameFile(f, path); err != nil || !ok {
			return nil, err
		}
	}
	lock := &Lock{path: path, file: f, holder: self, stop: make(chan struct{})}
	if err := lock.write(); err != nil {
		return nil, errors.Join(fmt.Errorf("writing who holds the lock: %w", err), os.Remove(path))
	}
	lock.beats.Go(func() { lock.beat(l.every) })
	return lock, nil
}

// sameFile reports whether path is still the file that was opened.
func sameFile(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, there), err
}

// whoHolds returns the holder of a lock. A process that has just taken it may not have written its record yet.
func (l *locker) whoHolds(path string) Holder {
	for range 20 {
		if h, err := Read(path); err == nil {
			return h
		}
		time.Sleep(l.lookWait)
	}
	return Holder{}
}

// beatsOn reports whether the holder of a record is alive, which means that its beat continues. It does not wait if the
// record is older than the silence after which a holder counts as gone. The age is measured by the clock of the file system,
// which sets both times.
func (l *locker) beatsOn(ctx context.Context, path string, before Holder, log io.Writer) (bool, error) {
	age, err := age(path)
	if err != nil || age > silent*l.every {
		return false, err
	}
	wait := silent*l.every - max(age, 0)
	fmt.Fprintf(log, "%s: %s used the directory %v ago; waiting up to %v to see whether it still does\n",
		path, before, max(age, 0).Round(time.Second), wait.Round(time.Second))
	end := time.NewTimer(wait + l.every/2)
	defer end.Stop()
	tick := time.NewTicker(l.every / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-end.C:
			return false, nil
		case <-tick.C:
		}
		now, err := Read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // released
			return false, nil
		case err == nil && now != before:
			return true, nil
		}
	}
}

// age returns the time since a file was written, by the clock of its file system.
func age(path string) (time.Duration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	now, err := os.CreateTemp(filepath.Dir(path), ".clock.*.tmp")
	if err != nil {
		return 0, err
	}
	defer os.Remove(now.Name())
	defer now.Close()
	if _, err := now.Write([]byte{0}); err != nil {
		return 0, err
	}
	if err := now.Sync(); err != nil {
		return 0, err
	}
	clock, err := now.Stat()
	if err != nil {
		return 0, err
	}
	return clock.ModTime().Sub(info.ModTime()), nil
}

// beat writes the record again and again. An error does not stop the run, because the lock is flock where that works.
func (l *Lock) beat(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.holder.Beat++
			l.write()
		}
	}
}

// write writes the record. All records of a lock have the same length, so that a reader always finds a whole one.
func (l *Lock) write() error {
	text, err := l.holder.encode()
	if err != nil {
		return err
	}
	if _, err := l.file.WriteAt(text, 0); err != nil {
		return err
	}
	if err := l.file.Truncate(int64(len(text))); err != nil { // a longer record of an earlier holder
		return err
	}
	return l.file.Sync() // an NFS client sends it to the server now
}

// Release removes the file and releases the lock. It does nothing for a nil lock. For a lock that was adopted it leaves
// both to the process that owns it.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	adopted := l.stop == nil
	if !adopted { // end the beat, which writes into the file
		close(l.stop)
		l.beats.Wait()
	}
	f := l.file
	l.file = nil
	if adopted {
		return f.Close()
	}
	// While the file is locked nobody else may remove it. A process that opened it before will see that it has gone.
	return errors.Join(os.Remove(l.path), f.Close())
}

// File returns the locked file, for a child process to inherit. The kernel frees the lock when both processes have ended.
func (l *Lock) File() *os.File { return l.file }

// Adopt returns the lock of the parent process, whose file this process inherited. It returns an error if f is not the file
// at path.
func Adopt(f *os.File, path string) (*Lock, error) {
	ok, err := sameFile(f, path)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("the inherited file is not %s", path)
	}
	syscall.CloseOnExec(int(f.Fd())) // for the children of this process
	return &Lock{path: path, file: f}, nil
}
