package cli

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"feddag/report"
)

// ownMounts runs a test in a separate process that may mount file systems, as root in a user namespace. It reports whether
// this process is that one.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv("FEDDAG_OWN_MOUNTS") == t.Name() {
		return true
	}
	only := "^" + t.Name() + "$"
	if asked := flag.Lookup("test.run").Value.String(); strings.HasPrefix(asked, t.Name()+"/") {
		only = asked // one of its subtests
	}
	cmd := exec.Command(os.Args[0], "-test.run", only, "-test.v", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), "FEDDAG_OWN_MOUNTS="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if out == nil && err != nil {
		t.Skipf("no user namespaces here: %v", err)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// disk is a file system of memory.
type disk struct{ path string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{filepath.Join(t.TempDir(), "disk")}
	if err := os.Mkdir(d.path, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(d.path, syscall.MNT_DETACH) })
	return d
}

// mount replaces the file system by an empty one. The options are those of tmpfs(5).
func (d *disk) mount(t *testing.T, options string) {
	t.Helper()
	syscall.Unmount(d.path, syscall.MNT_DETACH)
	if err := syscall.Mount("tmpfs", d.path, "tmpfs", 0, options); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
}

func (d *disk) remount(t *testing.T, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", d.path, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk checks that the program reports a full disk, or a lack of inodes, with the name of the file at each place
// where it writes, and that the command gives the bytes of an undisturbed run once there is room.
func TestFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	every := 9 // test every ninth budget; with FEDDAG_LONG all of them
	if os.Getenv("FEDDAG_LONG") != "" {
		every = 1
	}
	data := mnist(t)
	t.Setenv("FEDDAG_TEST_PROGRAM", "1") // for the runs of compare, which are processes
	hit, ran := map[string]int{}, 0
	var written []string
	for _, c := range []struct {
		name  string
		start func(out string) []string
		again func(out string) []string
	}{
		{"train", func(out string) []string { return small(data, out, "--rounds", "2", "--algorithm", "feddag-star") },
			func(out string) []string { return []string{"train", "--resume", out} }},
		{"train-blobs", func(out string) []string {
			return small(data, out, "--rounds", "1", "--algorithm", "cfl", "--cfl-full", "--cfl-from", "0")
		}, func(out string) []string { return []string{"train", "--resume", out} }},
		{"compare", func(out string) []string {
			return append([]string{"compare"}, small(data, out, "--algorithms", "local", "--seeds", "1", "--rounds", "1", "--keep", filepath.Join(out, "kept.zip"))[1:]...)
		}, nil},
		{"cluster", func(out string) []string {
			return tinyCluster(data, out, "--save-sketches", filepath.Join(filepath.Dir(out), "sketches"))
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if every > 1 && c.name != "train" {
				t.Skip("set FEDDAG_LONG=1")
			}
			d := newDisk(t)
			whole := filepath.Join(t.TempDir(), "run")
			if code, _, log := feddag(c.start(whole)...); code != exitDone {
				t.Fatal(log)
			}
			files, pages := runFiles(t, whole), map[string]int{}
			for _, name := range files {
				pages[siteOf(name)] = (len(mustRead(t, whole, name)) + 4095) / 4096
			}
			for _, kind := range []string{"size=%dk", "size=1g,nr_inodes=%d"} {
				last, step := "", 0
				for budget := every; ; budget += step {
					n := budget
					if kind == "size=%dk" {
						n *= 4
					}
					d.mount(t, fmt.Sprintf(kind, n))
					out := filepath.Join(d.path, "run")
					code, _, log := feddag(c.start(out)...)
					if code == exitDone {
						break
					}
					site := writeSite(t, log, d.path)
					hit[c.name+": "+site]++
					// Adding the number of pages of the file moves the end of the disk to the next file.
					if step = every; kind == "size=%dk" && site != last {
						step = max(step, pages[site])
					} else if kind == "size=%dk" { // the disk ended at another file of the same kind, or at the same file again
						step = max(step, pages[site]/4)
					}
					last = site
					d.remount(t, 0, "size=1g,nr_inodes=0")
					args := c.start(out)
					if c.again != nil && report.IsRun(out) {
						args = c.again(out)
					}
					if c.name == "cluster" { // cluster begins again in a new directory
						out = filepath.Join(d.path, "again")
						args = c.start(out)
					}
					if code, _, log := feddag(args...); code != exitDone {
						t.Fatalf("%s: with room again: exit code %d: %s", fmt.Sprintf(kind, n), code, log)
					}
					sameFiles(t, whole, out, files)
				}
			}
			if every == 1 && !t.Failed() {
				ran++
				written = append(written, files...)
			}
		})
	}
	if ran == 4 {
		// A file may fit into space that the checkpoint used before with one command, and not fit with another.
		sites := map[string]bool{}
		for name := range hit {
			_, site, _ := strings.Cut(name, ": ")
			sites[strings.TrimPrefix(site, "local-N/")] = true
		}
		for _, name := range written {
			if site := strings.TrimPrefix(siteOf(name), "local-N/"); !sites[site] {
				t.Errorf("the disk was never full at %s", site)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hit)) {
		t.Logf("%4d times full at %s", hit[name], name)
	}
}

// fileNumbers matches the numbers in which the names of files of the same kind differ.
var fileNumbers = regexp.MustCompile(`-[0-9a-f]{16}|\d+(\.\S+\.\d+\.\d+)?`)

// siteOf names the kind of a file by its path in the run.
func siteOf(name string) string { return fileNumbers.ReplaceAllString(name, "N") }

// writeSite returns the file that an error of a full disk names.
func writeSite(t *testing.T, log, disk string) string {
	t.Helper()
	if !strings.Contains(log, "no space left on device") || strings.Contains(log, "panic") {
		t.Fatalf("not the error of a full disk: %s", log)
	}
	for _, line := range strings.Split(log, "\n") {
		if !strings.Contains(line, "no space left") {
			continue
		}
		at := strings.Index(line, disk)
		if at < 0 {
			t.Fatalf("it names no file: %s", line)
		}
		name, rest, _ := strings.Cut(line[at+len(disk)+1:], ":")
		if blob, _, _ := strings.Cut(strings.TrimSpace(rest), ":"); strings.HasSuffix(blob, ".bin") { // a file of the checkpoint
			name = filepath.Join(filepath.Dir(name), blob)
		}
		name, _, _ = strings.Cut(name, " ")
		return siteOf(strings.TrimPrefix(name, "run/"))
	}
	return ""
}

// TestReadOnlyDisk checks that on a file system that is mounted read-only, commands that write fail with an error that names
// the path, and commands that read work.
func TestReadOnlyDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	data := mnist(t)
	d := newDisk(t)
	d.mount(t, "size=1g")
	run := filepath.Join(d.path, "run")
	must(t, small(data, run, "--algorithm", "fedavg", "--rounds", "1")...)
	d.remount(t, syscall.MS_RDONLY, "size=1g")
	for _, args := range [][]string{
		small(data, filepath.Join(d.path, "new")),
		{"train", "--resume", run, "--rounds", "2"},
		tinyCluster(data, filepath.Join(d.path, "new")),
		{"compare", "--read", run, "--out", filepath.Join(d.path, "new")},
		{"partition", "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2", "--labels-per-group", "3", "--out", filepath.Join(d.path, "new")},
	} {
		code, _, log := feddag(args...)
		if code != exitFailed || !strings.Contains(log, "read-only file system") || !strings.Contains(log, d.path) {
			t.Errorf("feddag %v: exit code %d: %s", args, code, log)
		}
	}
	must(t, "compare", "--read", run, "--out", filepath.Join(t.TempDir(), "c"))
}
