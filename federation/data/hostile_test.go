package data

import (
	"path/filepath"
	"strings"
	"testing"

	"feddag/internal/archivetest"
)

// Every reader of an archive rejects malicious content, names it, and writes nothing.
func TestHostileArchives(t *testing.T) {
	gzipped := func(t testing.TB, f archivetest.File) []byte { return gz(t, archivetest.Tar(t, f)) }
	for _, r := range []struct {
		set, file string // the file of the archive
		extra     map[string]string
		inside    string // name of a file that the reader reads
		pack      func(testing.TB, archivetest.File) []byte
	}{
		{"folder:DIR", "a.zip", nil, "train/cat/1.png", archivetest.Zip},
		{"csv:DIR/list.csv", "images.zip", map[string]string{"images": "images.zip"}, "1.png", archivetest.Zip},
		{"cifar10-jpeg", "cifar10/train.zip", nil, "cat/1.png", archivetest.Zip},
		{"tiny-imagenet", "tiny-imagenet-200.zip", nil, "tiny-imagenet-200/wnids.txt", archivetest.Zip},
		{"cifar10", "cifar-10-binary.tar.gz", nil, "cifar-10-batches-bin/data_batch_1.bin", gzipped},
		{"cifar100", "cifar-100-python.tar.gz", nil, "cifar-100-python/train", gzipped},
		{"cifar10-c", "CIFAR-10-C.tar", nil, "CIFAR-10-C/README.md", archivetest.Tar},
		{"medmnist:DIR/a.npz", "a.npz", nil, "train_images.npy", archivetest.Zip},
		{"pfllib:DIR", "train/0.npz", nil, "data.npy", archivetest.Zip},
	} {
		for k, named := range archivetest.Attacks(r.inside, "") {
			t.Run(r.set+"/"+named.Name, func(t *testing.T) {
				if named.Name == archivetest.Bomb && strings.HasSuffix(r.file, ".tar") {
					t.Skip("a tar is not compressed")
				}
				home := t.TempDir()
				a := archivetest.Attacks(r.inside, home)[k]
				dir := filepath.Join(home, "a", "data")
				file := filepath.Join(dir, r.file)
				write(t, filepath.Dir(file), map[string][]byte{filepath.Base(file): r.pack(t, a.File)})
				switch r.set {
				case "csv:DIR/list.csv":
					write(t, dir, map[string][]byte{"list.csv": []byte("user,file,label\na,1.png,0\nb,2.png,1\n")})
				case "pfllib:DIR":
					write(t, filepath.Join(dir, "test"), map[string][]byte{"0.npz": nil})
				case "cifar10-jpeg":
					write(t, filepath.Dir(file), map[string][]byte{"test.zip": zipOf(t, map[string][]byte{"cat/1.png": pngOf(t, 4, 3, 1)})})
				}
				archivetest.Refused(t, home, func() error {
					_, err := Load(t.Context(), strings.ReplaceAll(r.set, "DIR", dir), LoadOptions{Dirs: []string{dir}, Extra: r.extra})
					return err
				}, file+": ", a.Words)
			})
		}
	}
}
