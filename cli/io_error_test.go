package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"feddag/report"
)

// access is an operation on a kind of file, which siteOf names.
type access struct{ operation, site string }

func (a access) String() string { return a.operation + " " + a.site }

// badDisk makes one access to a file system fail, and counts all accesses.
type badDisk struct {
	mu     sync.Mutex
	fails  access // none if it is empty
	failed int    // how often it has failed
	seen   map[access]int
}

// use is called for each access, and returns its error.
func (b *badDisk) use(operation, path string) syscall.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := access{operation, siteOf(path)}
	b.seen[a]++
	if a != b.fails {
		return fs.OK
	}
	b.failed++
	return syscall.EIO
}

// fail makes one kind of access fail from now on, and resets the counts.
func (b *badDisk) fail(a access) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails, b.failed, b.seen = a, 0, map[access]int{}
}

// badNode is a file or a directory of a bad disk.
type badNode struct {
	fs.LoopbackNode
	disk *badDisk
}

var (
	_ fs.NodeWrapChilder = (*badNode)(nil)
	_ fs.NodeMkdirer     = (*badNode)(nil)
	_ fs.NodeUnlinker    = (*badNode)(nil)
	_ fs.NodeRenamer     = (*badNode)(nil)
	_ fs.NodeCreater     = (*badNode)(nil)
	_ fs.NodeOpener      = (*badNode)(nil)
)

func (n *badNode) at(name string) string { return filepath.Join(n.Path(nil), name) }

// WrapChild implements fs.NodeWrapChilder.
func (n *badNode) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &badNode{fs.LoopbackNode{RootData: child.(*fs.LoopbackNode).RootData}, n.disk}
}

// Mkdir implements fs.NodeMkdirer.
func (n *badNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.disk.use("mkdir", n.at(name)); e != fs.OK {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

// Unlink implements fs.NodeUnlinker.
func (n *badNode) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.disk.use("remove", n.at(name)); e != fs.OK {
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// Rename implements fs.NodeRenamer.
func (n *badNode) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, to string, flags uint32) syscall.Errno {
	if e := n.disk.use("rename", filepath.Join(parent.EmbeddedInode().Path(nil), to)); e != fs.OK {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, &parent.(*badNode).LoopbackNode, to, flags)
}

// Create implements fs.NodeCreater.
func (n *badNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.disk.use("create", n.at(name)); e != fs.OK {
		return nil, nil, 0, e
	}
	inode, f, fuseFlags, e := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if e != fs.OK {
		return inode, f, fuseFlags, e
	}
	return inode, &badFile{f.(loopbackFile), n.disk, n.at(name), true}, fuseFlags, e
}

// Open implements fs.NodeOpener.
func (n *badNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if e := n.disk.use("open", n.Path(nil)); e != fs.OK {
		return nil, 0, e
	}
	f, fuseFlags, e := n.LoopbackNode.Open(ctx, flags)
	if e != fs.OK {
		return f, fuseFlags, e
	}
	return &badFile{f.(loopbackFile), n.disk, n.Path(nil), flags&syscall.O_ACCMODE != syscall.O_RDONLY}, fuseFlags, e
}

// loopbackFile is the interface of an open file of the underlying disk.
type loopbackFile interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileReleaser
	fs.FileFsyncer
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileLseeker
	fs.FileAllocater
}

// badFile is an open file of a bad disk.
type badFile struct {
	loopbackFile
	disk    *badDisk
	path    string
	written bool // the file was opened for writing
}

// Read implements fs.FileReader.
func (f *badFile) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if e := f.disk.use("read", f.path); e != fs.OK {
		return nil, e
	}
	return f.loopbackFile.Read(ctx, dest, off)
}

// Write implements fs.FileWriter.
func (f *badFile) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if e := f.disk.use("write", f.path); e != fs.OK {
		return 0, e
	}
	return f.loopbackFile.Write(ctx, data, off)
}

// Fsync implements fs.FileFsyncer.
func (f *badFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if e := f.disk.use("fsync", f.path); e != fs.OK {
		return e
	}
	return f.loopbackFile.Fsync(ctx, flags)
}

// Flush implements fs.FileFlusher, whose result is returned by close(2). It is not relevant for a file that was only read.
func (f *badFile) Flush(ctx context.Context) syscall.Errno {
	if f.written {
		if e := f.disk.use("close", f.path); e != fs.OK {
			return e
		}
	}
	return f.loopbackFile.Flush(ctx)
}

// mountBadDisk mounts an empty disk.
func mountBadDisk(t *testing.T) (path string, b *badDisk) {
	t.Helper()
	below := t.TempDir()
	path = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	var info syscall.Stat_t
	if err := syscall.Stat(below, &info); err != nil {
		t.Fatal(err)
	}
	b = &badDisk{seen: map[access]int{}}
	root := &badNode{fs.LoopbackNode{RootData: &fs.LoopbackRoot{Path: below, Dev: uint64(info.Dev)}}, b}
	root.RootData.RootNode = root
	server, err := fs.Mount(path, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "bad"}})
	if err != nil {
		t.Skipf("no FUSE file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return path, b
}

// TestIOErrors makes each kind of access to each kind of file of a run fail with EIO, as with a broken disk or a lost mount.
// The program must report this with the name of the file, and when the disk works again, the command must give the bytes of
// an undisturbed run.
func TestIOErrors(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	every := 12 // one access in twelve; FEDDAG_LONG tries each
	if os.Getenv("FEDDAG_LONG") != "" {
		every = 1
	}
	data := mnist(t)
	for _, c := range []struct {
		name   string
		before func(out string) []string // called with a working disk; nil for nothing
		start  func(out string) []string
		again  func(out string) []string // command after a failure if a run exists; nil to begin again in another directory
	}{
		{"train", nil, func(out string) []string { return small(data, out, "--rounds", "2", "--algorithm", "feddag-star") },
			func(out string) []string { return []string{"train", "--resume", out} }},
		{"resume", func(out string) []string {
			return small(data, out, "--rounds", "1", "--algorithm", "cfl", "--cfl-from", "1")
		},
			func(out string) []string { return []string{"train", "--resume", out, "--rounds", "2"} },
			func(out string) []string { return []string{"train", "--resume", out, "--rounds", "2"} }},
		{"cluster", nil, func(out string) []string {
			return tinyCluster(data, out, "--save-sketches", filepath.Join(filepath.Dir(out), "sketches"))
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk, b := mountBadDisk(t)
			dir := filepath.Join(disk, "0")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			whole := filepath.Join(dir, "run")
			if c.before != nil {
				must(t, c.before(whole)...)
			}
			b.fail(access{})
			must(t, c.start(whole)...)
			all := slices.SortedFunc(maps.Keys(b.seen), func(x, y access) int { return strings.Compare(x.String(), y.String()) })
			files := runFiles(t, whole)
			for k, a := range all {
				if k%every != 0 {
					continue
				}
				dir := filepath.Join(disk, fmt.Sprint(k+1))
				if err := os.Mkdir(dir, 0o777); err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(dir, "run")
				if c.before != nil {
					must(t, c.before(out)...)
				}
				b.fail(a)
				code, _, log := feddag(c.start(out)...)
				b.mu.Lock()
				failed := b.failed
				b.mu.Unlock()
				b.fail(access{})
				t.Logf("%v failed %d times: exit code %d: %s", a, failed, code, log[strings.LastIndex(strings.TrimSpace(log), "\n")+1:])
				switch {
				case code == exitDone && filepath.Base(a.site) == report.LockFile: // the lock is no longer needed
					sameFiles(t, whole, out, files)
					continue
				case code != exitFailed || !strings.Contains(log, "input/output error") || !strings.Contains(log, dir) || strings.Contains(log, "panic"):
					t.Errorf("%v: exit code %d: %s", a, code, log)
				}
				args := c.start(out)
				if c.again == nil {
					out = filepath.Join(dir, "again")
					args = c.start(out)
				} else if report.IsRun(out) {
					args = c.again(out)
				}
				if code, _, log := feddag(args...); code != exitDone {
					t.Errorf("%v: with a disk that is whole again: exit code %d: %s", a, code, log)
					continue
				}
				sameFiles(t, whole, out, files)
			}
		})
	}
}
