package report

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func create(t *testing.T) *Dir {
	t.Helper()
	d, err := Create(t.Context(), filepath.Join(t.TempDir(), "a", "run"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// want fails the test unless err contains each of words.
func want(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func names(t *testing.T, d *Dir) []string {
	t.Helper()
	entries, err := os.ReadDir(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	var n []string
	for _, e := range entries {
		if e.Name() != LockFile {
			n = append(n, e.Name())
		}
	}
	return n
}

func text(t *testing.T, d *Dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(d.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func put(t *testing.T, d *Dir, name, s string) {
	t.Helper()
	if err := os.WriteFile(d.Path(name), []byte(s), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestCreateAndOpen(t *testing.T) {
	d := create(t)
	if n := names(t, d); len(n) != 0 {
		t.Errorf("a new run directory holds %v", n)
	}
	_, err := Create(t.Context(), d.Path(), io.Discard)
	want(t, err, d.Path(), "in use by process "+strconv.Itoa(os.Getpid()), "--out")
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if d, err = Create(t.Context(), d.Path(), io.Discard); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	_, err = Open(d.Path())
	want(t, err, d.Path(), "not a run directory")
	if err := d.WriteConfig([]Pair{{"seed", "1", ""}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.Path()); err != nil {
		t.Error(err)
	}
	_, err = Create(t.Context(), d.Path(), io.Discard)
	want(t, err, d.Path(), "in use by process", "--out")
	if strings.Contains(err.Error(), "--resume") {
		t.Errorf("suggests to resume a live run: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	_, err = Create(t.Context(), d.Path(), io.Discard)
	want(t, err, d.Path(), "--resume", "--out")
	put(t, d, LockFile, "") // left by a process that was killed
	_, err = Create(t.Context(), d.Path(), io.Discard)
	want(t, err, d.Path(), "--resume", "--out")

	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letter.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = Create(t.Context(), other, io.Discard)
	want(t, err, other, "not empty", "--out")
	if strings.Contains(err.Error(), "--resume") {
		t.Errorf("suggests resuming what is not a run: %v", err)
	}
	file := filepath.Join(other, "letter.txt")
	_, err = Create(t.Context(), file, io.Discard)
	want(t, err, file, "file of that name", "--out")
	_, err = Create(t.Context(), filepath.Join(file, "run"), io.Discard)
	want(t, err, "not a directory", "--out")
	_, err = Create(t.Context(), "", io.Discard)
	want(t, err, "--out")
	_, err = Open(file)
	want(t, err, file, "not a directory")
	_, err = Open(filepath.Join(other, "gone"))
	want(t, err, "gone", "no such file")
}

func TestUnwritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := Create(t.Context(), dir, io.Discard)
	want(t, err, dir, "cannot be written", "permission denied", "--out")
	_, err = Create(t.Context(), filepath.Join(dir, "run"), io.Discard)
	want(t, err, dir, "permission denied", "--out")
}

func TestWriteFileKeepsTheOldOne(t *testing.T) {
	d := create(t)
	if err := d.WriteFile("model/a.bin", func(w io.Writer) error { _, err := io.WriteString(w, "old"); return err }); err != nil {
		t.Fatal(err)
	}
	full := func(w io.Writer) error {
		// More than any buffer, so that part of it has reached the disk.
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
		return syscall.ENOSPC
	}
	err := d.WriteFile("model/a.bin", full)
	want(t, err, d.Path("model/a.bin"), "no space left")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error("errors.Is does not see ENOSPC")
	}
	func() {
		defer func() { _ = recover() }()
		_ = d.WriteFile("model/a.bin", func(io.Writer) error { panic("writer") })
	}()
	if got := text(t, d, "model/a.bin"); got != "old" {
		t.Errorf("the old file became %q", got)
	}
	entries, err := os.ReadDir(d.Path("model"))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}

	if err := d.WriteFile("model/a.bin", func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if got := text(t, d, "model/a.bin"); got != "new" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", ".", "../x", "/etc/x", "a/../../x"} {
		want(t, d.WriteFile(bad, full), "not a path inside")
	}
	if err := os.Mkdir(d.Path("folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	want(t, d.WriteFile("folder", func(io.Writer) error { return nil }), "folder")
	want(t, d.WriteFile("model/a.bin/b", func(io.Writer) error { return nil }), "a.bin")
}

// TestDiskFull checks the errors of writes to a device that is always full.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	d := create(t)
	if err := os.Symlink("/dev/full", d.Path(MetricsFile)); err != nil {
		t.Fatal(err)
	}
	err := d.AppendMetrics(Round{})
	want(t, err, MetricsFile, "no space left")
}

func TestNPY(t *testing.T) {
	d := create(t)
	for _, n := range []int{1, 3, 100} {
		a := mat.NewSymDense(n, nil)
		for i := range n {
			for j := range i + 1 {
				a.SetSym(i, j, float64(i)+float64(j)/7)
			}
		}
		if err := d.WriteNPY("a.npy", a); err != nil {
			t.Fatal(err)
		}
		raw := []byte(text(t, d, "a.npy"))
		if !bytes.HasPrefix(raw, []byte("\x93NUMPY\x01\x00")) {
			t.Fatalf("magic %q", raw[:8])
		}
		size := 10 + int(binary.LittleEndian.Uint16(raw[8:]))
		header := string(raw[10:size])
		if size%64 != 0 || !strings.HasSuffix(header, "\n") {
			t.Errorf("header of %d bytes: %q", size, header)
		}
		if wantHeader := "{'descr': '<f8', 'fortran_order': False, 'shape': (" + strconv.Itoa(n) + ", " + strconv.Itoa(n) + "), }"; strings.TrimSpace(header) != wantHeader {
			t.Errorf("header %q", header)
		}
		data := raw[size:]
		if len(data) != 8*n*n {
			t.Fatalf("%d bytes of data", len(data))
		}
		for i := range n {
			for j := range n {
				if v := math.Float64frombits(binary.LittleEndian.Uint64(data[8*(i*n+j):])); v != a.At(i, j) {
					t.Fatalf("(%d, %d) = %v, want %v", i, j, v, a.At(i, j))
				}
			}
		}
	}
	if err := d.WriteNPY("empty.npy", &mat.SymDense{}); err != nil {
		t.Error(err)
	}
}

func TestClients(t *testing.T) {
	d := create(t)
	err := d.WriteClients([]Client{
		{Client: 0, Group: 2, Cluster: 1, TrainSamples: 600, TestSamples: 3000, Pre: ClientScore{91.25, 92}, Post: NoClientScore, BestPre: ClientScore{93, 94}, BestPost: NoClientScore},
		{Client: 1, Group: -1, Cluster: 0, Pre: NoClientScore, Post: NoClientScore, BestPre: NoClientScore, BestPost: NoClientScore},
	})
	if err != nil {
		t.Fatal(err)
	}
	expected := "client,group,cluster,train_samples,test_samples,pre_balanced_accuracy,pre_accuracy,post_balanced_accuracy,post_accuracy," +
		"best_pre_balanced_accuracy,best_pre_accuracy,best_post_balanced_accuracy,best_post_accuracy\n" +
		"0,2,1,600,3000,91.2500,92.0000,,,93.0000,94.0000,,\n1,,0,0,0,,,,,,,,\n"
	if got := text(t, d, ClientsFile); got != expected {
		t.Errorf("got\n%s", got)
	}
}

func TestEnv(t *testing.T) {
	e := NewEnv()
	if e.Go == "" || e.Cores < 1 || e.CPU == "" || e.OS == "" || e.Feddag == "" {
		t.Errorf("%+v", e)
	}
	d := create(t)
	if err := d.WriteEnv(e); err != nil {
		t.Fatal(err)
	}
	var back Env
	if err := d.ReadJSON(EnvFile, &back); err != nil || back.CPU != e.CPU || !slices.Equal(back.Command, e.Command) {
		t.Errorf("%+v, %v", back, err)
	}
	if rss := PeakRSS(); rss < 1<<20 || rss > 1<<40 {
		t.Errorf("peak resident size %d", rss)
	}
}
