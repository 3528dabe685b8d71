package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

func TestLoadLayouts(t *testing.T) {
	plain := tinyFiles()
	zipped, dots := map[string][]byte{}, map[string][]byte{}
	for name, b := range plain {
		zipped[name+".gz"] = gz(t, b)
		dots[dotted(name)] = b
	}
	for _, c := range []struct {
		name, set, folder string
		files             map[string][]byte
	}{
		{"plain in the directory itself", "fashion-mnist", "", plain},
		{"gzip in the directory itself", "mnist", "", zipped},
		{"Debian's folder", "fmnist", "fashion-mnist", zipped},
		{"torchvision's folder", "FashionMNIST", "FashionMNIST/raw", plain},
		{"torchvision's MNIST", "mnist", "MNIST/raw", plain},
		{"dotted names", "mnist", "mnist", dots},
		{"gzip without the suffix", "mnist", "mnist", map[string][]byte{
			idxFiles[0]: zipped[idxFiles[0]+".gz"], idxFiles[1]: plain[idxFiles[1]],
			idxFiles[2]: plain[idxFiles[2]], idxFiles[3] + ".gz": zipped[idxFiles[3]+".gz"],
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.folder), c.files)
			s, err := Load(t.Context(), c.set, LoadOptions{Dirs: []string{filepath.Join(dir, "nothing"), dir}})
			if err != nil {
				t.Fatal(err)
			}
			if s.Train.Len() != 30 || s.Test.Len() != 20 || s.ImageSize() != 784 || s.Classes != 10 || len(s.Files) != 4 {
				t.Errorf("read %d + %d images of %d bytes, %d classes, from %q", s.Train.Len(), s.Test.Len(), s.ImageSize(), s.Classes, s.Files)
			}
			if !bytes.Equal(s.Train.Pixels, imagesOf(30)) || !bytes.Equal(s.Test.Labels, labelsOf(20)) {
				t.Error("pixels or labels differ from what was written")
			}
			if im := s.Image(s.Train, 3); len(im) != 784 || im[0] != 3 || im[1] != 4 {
				t.Errorf("image 3 starts %v", im[:2])
			}
			if s.Mean[0] != 0.1307 || s.Std[0] != 0.3081 {
				t.Errorf("mean %v, std %v", s.Mean, s.Std)
			}
		})
	}
}

func TestLoadBadFiles(t *testing.T) {
	good := tinyFiles()
	images, labels := good[idxFiles[0]], good[idxFiles[1]]
	zipped := gz(t, images)
	broken := slices.Clone(zipped)
	broken[len(broken)-6] ^= 0xff // within the checksum
	garbled := slices.Clone(zipped)
	copy(garbled[10:], bytes.Repeat([]byte{0xff}, 40))
	badLabels := slices.Clone(labels)
	badLabels[8+7] = 10
	for _, c := range []struct {
		name  string
		file  int
		bytes []byte
		words []string
	}{
		{"empty", 0, nil, []string{"empty"}},
		{"magic cut off", 0, images[:3], []string{"truncated"}},
		{"header cut off", 0, images[:9], []string{"truncated"}},
		{"pixels cut off", 0, images[:16+784*3+5], []string{"truncated", "2357 of 23520"}},
		{"labels cut off", 1, labels[:20], []string{"truncated", "12 of 30"}},
		{"wrong magic", 0, labels, []string{"not an IDX file", "0x00000801", "0x00000803"}},
		{"not IDX at all", 1, []byte("<html>404 not found</html>"), []string{"not an IDX file"}},
		{"wrong height", 0, idxBytes(0x803, []uint32{30, 32, 28}, imagesOf(40)), []string{"dimension 1 is 32, but must be 28"}},
		{"no images", 0, idxBytes(0x803, []uint32{0, 28, 28}, nil), []string{"no items"}},
		{"hostile count", 0, idxBytes(0x803, []uint32{0xffffffff, 28, 28}, nil), []string{"claims 4294967295"}},
		{"large count", 0, idxBytes(0x803, []uint32{960000, 28, 28}, nil), []string{"truncated", "0 of 752640000"}},
		{"hostile dimensions", 0, idxBytes(0x803, []uint32{30, 0xffffffff, 0xffffffff}, nil), []string{"dimension 1"}},
		{"more than promised", 0, append(slices.Clone(images), 0), []string{"more bytes"}},
		{"fewer labels than images", 1, idxBytes(0x801, []uint32{29}, labelsOf(29)), []string{"29 labels for the 30 images", idxFiles[0]}},
		{"label out of range", 1, badLabels, []string{"label 10 of image 7", "below 10"}},
		{"gzip cut off", 0, zipped[:len(zipped)/2], []string{"truncated"}},
		{"gzip without its end", 0, zipped[:len(zipped)-4], []string{"truncated"}},
		{"gzip checksum", 0, broken, []string{"checksum"}},
		{"gzip garbled", 0, garbled, []string{"damaged"}},
		{"gzip header", 0, []byte{0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, []string{"damaged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			files := tinyFiles()
			files[idxFiles[c.file]] = c.bytes
			write(t, dir, files)
			_, err := Load(t.Context(), "mnist", LoadOptions{Dirs: []string{dir}})
			errtest.Want(t, err, append(c.words, filepath.Join(dir, idxFiles[c.file]))...)
		})
	}
}

func TestHostileHeaderAllocatesLittle(t *testing.T) {
	file := gz(t, idxBytes(0x803, []uint32{960000, 28, 28}, make([]byte, 4096)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := readIDX(bytes.NewReader(file), 3, []int{28, 28})
	runtime.ReadMemStats(&after)
	errtest.Want(t, err, "truncated")
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("a header that promises 750 MB made the reader allocate %d bytes", n)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	files := tinyFiles()
	write(t, filepath.Join(dir, "whole", "FashionMNIST", "raw"), files)
	delete(files, idxFiles[3])
	write(t, filepath.Join(dir, "part", "fashion-mnist"), files)

	got, err := Find("fashion-mnist", []string{filepath.Join(dir, "part"), filepath.Join(dir, "whole")})
	if err != nil || len(got) != 4 || got[0] != filepath.Join(dir, "whole", "FashionMNIST", "raw", idxFiles[0]) {
		t.Errorf("found %q, %v", got, err)
	}
	_, err = Find("fashion-mnist", []string{filepath.Join(dir, "part"), filepath.Join(dir, "absent")})
	errtest.Want(t, err, "lacks "+idxFiles[3], filepath.Join(dir, "absent"), "apt-get install dataset-fashion-mnist", "--data-dir")
	var notFound *NotFoundError
	if !errors.As(err, &notFound) || len(notFound.Looked) != 2 {
		t.Errorf("not a NotFoundError of two places: %v", err)
	}
	// A folder named after one set is not used for another set, although the file names are the same.
	_, err = Find("mnist", []string{filepath.Join(dir, "whole"), filepath.Join(dir, "whole", "FashionMNIST"), filepath.Join(dir, "whole", "FashionMNIST", "raw")})
	errtest.Want(t, err, "mnist not found")
	_, err = Find("mnist", nil)
	errtest.Want(t, err, "nowhere")
}

func TestUnknownName(t *testing.T) {
	_, err := Load(t.Context(), "fashon-mnist", LoadOptions{})
	errtest.Want(t, err, `"fashon-mnist"`, "did you mean fashion-mnist?")
	_, err = Find("", nil)
	errtest.Want(t, err, "is unknown")
	if !slices.Contains(Names(), "mnist") || !slices.Contains(Names(), "fashion-mnist") || !slices.IsSorted(Names()) {
		t.Errorf("names %q", Names())
	}
}

func TestSearchDirs(t *testing.T) {
	t.Setenv(DataDirEnv, "/env/dir")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	t.Setenv("HOME", "/home/u")
	want := []string{"/flag", "/env/dir", "data", "/xdg/feddag", "/home/u/data", "/xdg/torch", "/xdg/torch/datasets", "/usr/share/datasets"}
	if got := SearchDirs("/flag/"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	t.Setenv("XDG_CACHE_HOME", "relative")
	t.Setenv(DataDirEnv, "")
	want = []string{"data", "/home/u/.cache/feddag", "/home/u/data", "/home/u/.cache/torch", "/home/u/.cache/torch/datasets", "/usr/share/datasets"}
	if got := SearchDirs(""); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	t.Setenv("HOME", "")
	if got := SearchDirs(""); !slices.Equal(got, []string{"data", "/usr/share/datasets"}) {
		t.Errorf("without a home: %q", got)
	}
}

func TestRealFashionMNIST(t *testing.T) {
	dirs := SearchDirs("")
	if _, err := Find("fashion-mnist", dirs); err != nil {
		t.Skip(err)
	}
	s, err := Load(t.Context(), "fashion-mnist", LoadOptions{Dirs: dirs})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.ClassCounts(s.Train); !slices.Equal(got, slices.Repeat([]int{6000}, 10)) {
		t.Errorf("training class counts %v", got)
	}
	if got := s.ClassCounts(s.Test); !slices.Equal(got, slices.Repeat([]int{1000}, 10)) {
		t.Errorf("test class counts %v", got)
	}
	// These are the statistics of the files by NumPy: testdata/fashion_mnist.py.
	for name, want := range map[string]struct {
		split     Images
		mean, std float64
		sha256    string
	}{
		"train": {s.Train, 72.940352, 90.021182, "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157"},
		"test":  {s.Test, 73.146567, 89.873259, "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4"},
	} {
		mean, std := s.Stats(want.split)
		if math.Abs(255*mean[0]-want.mean) > 1e-6 || math.Abs(255*std[0]-want.std) > 1e-6 {
			t.Errorf("%s: mean %.7f, deviation %.7f, must be %.6f, %.6f", name, 255*mean[0], 255*std[0], want.mean, want.std)
		}
		if sum := sha256.Sum256(slices.Concat(want.split.Pixels, want.split.Labels)); hex.EncodeToString(sum[:]) != want.sha256 {
			t.Errorf("%s: other pixels or labels than numpy's", name)
		}
	}
	if len(s.Notes) > 0 {
		t.Errorf("the published set has notes: %q", s.Notes)
	}
	if !slices.Equal(s.Train.Labels[:5], []uint8{9, 0, 0, 3, 0}) {
		t.Errorf("first labels %v", s.Train.Labels[:5])
	}
}

func FuzzReadIDX(f *testing.F) {
	labels := idxBytes(0x801, []uint32{30}, labelsOf(30))
	f.Add(labels, false)
	f.Add(gz(f, labels), false)
	f.Add(idxBytes(0x803, []uint32{2, 28, 28}, imagesOf(2)), true)
	f.Add(gz(f, idxBytes(0x803, []uint32{0xffffffff, 28, 28}, imagesOf(1))), true)
	f.Fuzz(func(t *testing.T, b []byte, images bool) {
		rank, item, size := 1, []int(nil), 1
		if images {
			rank, item, size = 3, []int{28, 28}, 784
		}
		var n int
		var payload []byte
		var err error
		alloctest.Within(t, 2<<20+3000*len(b), func() { n, payload, err = readIDX(bytes.NewReader(b), rank, item) })
		if err == nil && (n < 1 || len(payload) != n*size) {
			t.Errorf("%d items in %d bytes", n, len(payload))
		}
	})
}
