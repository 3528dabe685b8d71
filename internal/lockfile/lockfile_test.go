package lockfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary work as a process that takes a lock and holds it until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("LOCKFILE_TEST_HOLD"); path != "" {
		if _, err := Acquire(context.Background(), path, os.Stderr); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString("locked")
		select {}
	}
	os.Exit(m.Run())
}

func lockPath(t *testing.T) string { return filepath.Join(t.TempDir(), ".lock") }

func mustAcquire(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := Acquire(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func TestAcquireNamesTheHolder(t *testing.T) {
	path := lockPath(t)
	lock := mustAcquire(t, path)
	_, err := Acquire(t.Context(), path, io.Discard)
	var held *HeldError
	if !errors.As(err, &held) {
		t.Fatalf("a second lock: %v", err)
	}
	host, _ := os.Hostname()
	if held.Holder.PID != os.Getpid() || held.Holder.Host != host || held.Path != path {
		t.Errorf("held by %+v", held)
	}
	for _, word := range []string{host, held.Holder.Since.Local().Format("2006-01-02 15:04:05")} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Errorf("a second release: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left after the release (%v)", err)
	}
	if err := mustAcquire(t, path).Release(); err != nil {
		t.Error(err)
	}
	if _, err := Acquire(t.Context(), filepath.Join(path, "absent", "lock"), io.Discard); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestKillFreesTheLock(t *testing.T) {
	path := lockPath(t)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "LOCKFILE_TEST_HOLD="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Process.Kill()
	if said, err := io.ReadAll(io.LimitReader(out, 6)); string(said) != "locked" {
		t.Fatalf("the holder said %q (%v)", said, err)
	}
	_, err = Acquire(t.Context(), path, io.Discard)
	var held *HeldError
	if !errors.As(err, &held) || held.Holder.PID != holder.Process.Pid {
		t.Fatalf("held by process %d: %v", holder.Process.Pid, err)
	}
	holder.Process.Kill()
	holder.Wait()
	if left, err := Read(path); err != nil || left.PID != holder.Process.Pid {
		t.Errorf("the record of the killed process: %+v, %v", left, err)
	}
	lock := mustAcquire(t, path)
	defer lock.Release()
	if now, err := Read(path); err != nil || now.PID != os.Getpid() {
		t.Errorf("the record after that: %+v, %v", now, err)
	}
}

// TestOneHolderAtATime checks that there is never more than one holder, while holders come and go and each removes the file.
func TestOneHolderAtATime(t *testing.T) {
	path := lockPath(t)
	var inside, most, refused atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for done := 0; done < 20; {
				lock, err := Acquire(context.Background(), path, io.Discard)
				var held *HeldError
				if errors.As(err, &held) {
					refused.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(100 * time.Microsecond)
				inside.Add(-1)
				done++
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d holders at the same time", most.Load())
	}
	t.Logf("%d attempts were refused", refused.Load())
}

// other is a process on another machine, on a file system whose locks do not reach other machines.
func other(every time.Duration) *locker {
	l := newLocker()
	l.every = every
	l.tryLock = func(*os.File) error { return nil }
	l.self = func() Holder {
		return Holder{Host: "node7", PID: 42, Job: "1234_5", Boot: "another", Since: time.Now().UTC().Truncate(time.Second)}
	}
	return l
}

func TestAnotherMachineIsNoticedWithoutItsLock(t *testing.T) {
	path := lockPath(t)
	far, err := other(time.Second).acquire(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	here := newLocker()
	here.every = time.Second
	here.tryLock = func(*os.File) error { return nil }
	var log bytes.Buffer
	_, err = here.acquire(t.Context(), path, &log)
	var held *HeldError
	if !errors.As(err, &held) || !strings.Contains(err.Error(), "process 42 on host node7, Slurm job 1234_5") {
		t.Fatalf("a live holder on another machine: %v", err)
	}
	if !strings.Contains(log.String(), "waiting up to") {
		t.Errorf("log: %s", &log)
	}
	// Its machine fails: the record stays and the beat stops.
	close(far.stop)
	far.beats.Wait()
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := here.acquire(ended, path, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted while it waits: %v", err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	lock, err := here.acquire(t.Context(), path, &log)
	if err != nil {
		t.Fatalf("a holder whose machine was lost: %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", &log)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestFileSystemWithoutLocks(t *testing.T) {
	path := lockPath(t)
	l := newLocker()
	l.every = time.Second
	l.tryLock = func(*os.File) error { return syscall.ENOLCK }
	var log bytes.Buffer
	lock, err := l.acquire(t.Context(), path, &log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "has no locks") {
		t.Errorf("log: %s", &log)
	}
	var held *HeldError
	if _, err := l.acquire(t.Context(), path, io.Discard); !errors.As(err, &held) {
		t.Errorf("a second process: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	l.tryLock = func(*os.File) error { return syscall.EIO }
	if _, err := l.acquire(t.Context(), path, io.Discard); !errors.Is(err, syscall.EIO) {
		t.Errorf("an I/O error: %v", err)
	}
}

func TestAdopt(t *testing.T) {
	path := lockPath(t)
	lock := mustAcquire(t, path)
	defer lock.Release()
	copied := func() *os.File {
		fd, err := syscall.Dup(int(lock.File().Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fd), "lock")
	}
	child, err := Adopt(copied(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Release(); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Acquire(t.Context(), path, io.Discard); !errors.As(err, &held) {
		t.Errorf("the child released the lock of its parent: %v", err)
	}
	another := lockPath(t)
	defer mustAcquire(t, another).Release()
	if _, err := Adopt(copied(), another); err == nil {
		t.Error("the file of another lock was adopted")
	}
	if _, err := Adopt(os.NewFile(1<<20, "closed"), path); err == nil {
		t.Error("a closed file was adopted")
	}
}

func TestRecord(t *testing.T) {
	h := Holder{Host: plain(strings.Repeat("<\"host\x01", 50)), PID: 1 << 30, Job: plain("7;rm"), Boot: strings.Repeat("b", 64), Since: time.Now().UTC(), Beat: 1 << 40}
	text, err := h.encode()
	if err != nil || len(text) != recordSize {
		t.Fatalf("%d bytes (%v): %s", len(text), err, text)
	}
	if h.Job != "7rm" {
		t.Errorf("job %q", h.Job)
	}
	path := lockPath(t)
	for _, bad := range []string{"", "{", "{}", "null", "[]", `{"pid":-1}`, `{"pid":"x"}`, strings.Repeat("x", 10000)} {
		if err := os.WriteFile(path, []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if h, err := Read(path); err == nil {
			t.Errorf("%.20q was read as %+v", bad, h)
		}
		// The record that a killed process left in the file does not prevent others from taking the lock.
		lock, err := Acquire(t.Context(), path, io.Discard)
		if err != nil {
			t.Fatalf("%.20q: %v", bad, err)
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestSlurmJob(t *testing.T) {
	for _, key := range []string{"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"} {
		t.Setenv(key, "")
	}
	if job := SlurmJob(); job != "" {
		t.Errorf("outside of Slurm: %q", job)
	}
	t.Setenv("SLURM_JOB_ID", "71")
	if job := SlurmJob(); job != "71" {
		t.Errorf("a job: %q", job)
	}
	t.Setenv("SLURM_ARRAY_JOB_ID", "70")
	t.Setenv("SLURM_ARRAY_TASK_ID", "3")
	if job := SlurmJob(); job != "70_3" {
		t.Errorf("a task of an array: %q", job)
	}
}
