package data

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"feddag/internal/errtest"
	"feddag/internal/npy"
)

// cifarCFile writes a file of 50,000 images that are black except for a few pixels: pixel (row 1, column 2) of image k of each
// severity is (severity, k mod 200, 9).
func cifarCFile(t testing.TB, path string, images []int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var head bytes.Buffer
	if err := npy.WriteHeader(&head, "|u1", []int{5 * cifarCImages, 32, 32, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(head.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(head.Len()) + 5*cifarCImages*cifarPixels); err != nil { // a sparse file
		t.Fatal(err)
	}
	for severity := range 5 {
		for _, k := range images {
			at := int64(head.Len()) + int64(severity*cifarCImages+k)*cifarPixels + 3*(32+2)
			if _, err := f.WriteAt([]byte{byte(severity + 1), byte(k % 200), 9}, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// cifarCLabelsFile writes labels k mod 10, the same for each severity.
func cifarCLabelsFile(t testing.TB, change func(labels []byte)) []byte {
	t.Helper()
	labels := make([]byte, 5*cifarCImages)
	for i := range labels {
		labels[i] = byte(i % cifarCImages % 10)
	}
	if change != nil {
		change(labels)
	}
	var b bytes.Buffer
	if err := npy.Write(&b, &npy.Array{Shape: []int{len(labels)}, Data: labels}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCIFARC(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "CIFAR-10-C")
	write(t, folder, map[string][]byte{"labels.npy": cifarCLabelsFile(t, nil)})
	images := []int{0, 1, 7999, 8000, 9999}
	cifarCFile(t, filepath.Join(folder, "fog.npy"), images)
	cifarCFile(t, filepath.Join(folder, "snow.npy"), images[:1])
	load := func(dir string, extra map[string]string) (*Set, error) {
		return Load(t.Context(), "cifar10-c", LoadOptions{Dirs: []string{dir}, Extra: extra})
	}
	check := func(s *Set, severity byte) {
		t.Helper()
		if !slices.Equal(s.UserNames, []string{"fog", "snow"}) || s.Train.Len() != 16000 || s.Test.Len() != 4000 || s.Classes != 10 {
			t.Fatalf("%d + %d images under %q", s.Train.Len(), s.Test.Len(), s.UserNames)
		}
		at := func(split Images, i int) [3]byte {
			im := s.Image(split, i)
			return [3]byte{im[34], im[1024+34], im[2048+34]}
		}
		for i, k := range map[int]int{0: 0, 1: 1, 7999: 7999} {
			if got := at(s.Train, i); got != [3]byte{severity, byte(k % 200), 9} {
				t.Errorf("training image %d: %v", i, got)
			}
		}
		for i, k := range map[int]int{0: 8000, 1999: 9999} {
			if got := at(s.Test, i); got != [3]byte{severity, byte(k % 200), 9} {
				t.Errorf("test image %d: %v", i, got)
			}
		}
		if at(s.Train, 8000) != [3]byte{severity, 0, 9} || at(s.Train, 8001) != [3]byte{} || s.Train.Users[7999] != 0 || s.Train.Users[8000] != 1 || s.Test.Users[2000] != 1 {
			t.Error("the corruptions are mixed up")
		}
		if s.Train.Labels[8003] != 3 || s.Test.Labels[2004] != 4 {
			t.Errorf("labels %d, %d", s.Train.Labels[8003], s.Test.Labels[2004])
		}
	}
	s, err := load(dir, map[string]string{"corruption": "snow,fog"})
	if err != nil {
		t.Fatal(err)
	}
	check(s, 3)
	if s, err = load(dir, map[string]string{"corruption": "fog,snow", "severity": "5"}); err != nil {
		t.Fatal(err)
	}
	check(s, 5)

	_, err = load(dir, nil)
	errtest.Want(t, err, "cifar10-c not found", "lacks brightness.npy")
	_, err = load(dir, map[string]string{"corruption": "snwo"})
	errtest.Want(t, err, "snwo", "did you mean snow?")
	_, err = load(dir, map[string]string{"severity": "6", "corruption": "fog"})
	errtest.Want(t, err, "use 1 to 5")
	for word, change := range map[string]func([]byte){
		"label is out of range": func(l []byte) { l[3] = 10 },
		"at severity 4":         func(l []byte) { l[3*cifarCImages+5] = 6 },
	} {
		write(t, folder, map[string][]byte{"labels.npy": cifarCLabelsFile(t, change)})
		_, err = load(dir, map[string]string{"corruption": "fog"})
		errtest.Want(t, err, filepath.Join(folder, "labels.npy"), word)
	}
	if err := os.Truncate(filepath.Join(folder, "fog.npy"), 1<<24); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string][]byte{"labels.npy": cifarCLabelsFile(t, nil), "frost.npy": cifarCLabelsFile(t, nil)})
	_, err = load(dir, map[string]string{"corruption": "fog"})
	errtest.Want(t, err, filepath.Join(folder, "fog.npy"), "truncated")
	_, err = load(dir, map[string]string{"corruption": "frost"})
	errtest.Want(t, err, filepath.Join(folder, "frost.npy"), "must be 50000 x 32 x 32 x 3 bytes")
}

func TestCIFARCArchive(t *testing.T) {
	dir := t.TempDir()
	npy := filepath.Join(dir, "fog.npy")
	cifarCFile(t, npy, []int{1})
	f, err := os.Create(filepath.Join(dir, "CIFAR-100-C.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	labels := cifarCLabelsFile(t, nil)
	if err := w.WriteHeader(&tar.Header{Name: "CIFAR-100-C/labels.npy", Size: int64(len(labels)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(labels); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(npy)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteHeader(&tar.Header{Name: "CIFAR-100-C/fog.npy", Size: info.Size(), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Load(t.Context(), "CIFAR-100-C", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"corruption": "fog", "severity": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if im := s.Image(s.Train, 1); im[34] != 2 || s.Classes != 100 || len(s.SuperclassNames) != 20 || s.Train.Len() != 8000 {
		t.Errorf("%v, %d classes, %d superclasses", im[34], s.Classes, len(s.SuperclassNames))
	}
	_, err = Load(t.Context(), "cifar100-c", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"corruption": "fog,frost"}})
	errtest.Want(t, err, "CIFAR-100-C.tar", "it lacks CIFAR-100-C/frost.npy")
}
