package data

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

// plant writes files below a folder.
func plant(t testing.TB, root string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		write(t, filepath.Join(root, filepath.Dir(name)), map[string][]byte{filepath.Base(name): b})
	}
}

// zipOf returns a zip of files, in the order of their names.
func zipOf(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pictures4x3 adds the files pattern % k for k below n. Each is an image of 4 x 3 pixels whose first byte is first+k.
func pictures4x3(t testing.TB, files map[string][]byte, pattern string, n, first int) map[string][]byte {
	t.Helper()
	for k := range n {
		files[fmt.Sprintf(pattern, k)] = pngOf(t, 4, 3, first+k)
	}
	return files
}

// animals returns a set of two classes with three training and two test images each, which differ in their first byte.
func animals(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	pictures4x3(t, files, "train/cat/%d.png", 3, 10)
	pictures4x3(t, files, "train/dog/%d.png", 3, 20)
	pictures4x3(t, files, "test/cat/%d.png", 2, 30)
	return pictures4x3(t, files, "test/dog/%d.png", 2, 40)
}

// firsts returns the first bytes of the images.
func firsts(s *Set, split Images) (b []byte) {
	for i := range split.Len() {
		b = append(b, s.Image(split, i)[0])
	}
	return b
}

func under(prefix string, files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, b := range files {
		out[prefix+name] = b
	}
	return out
}

func only(files map[string][]byte, prefix string) map[string][]byte {
	out := map[string][]byte{}
	for name, b := range files {
		if strings.HasPrefix(name, prefix) {
			out[name] = b
		}
	}
	return out
}

func TestFolderLayouts(t *testing.T) {
	all := animals(t)
	for _, c := range []struct {
		name  string
		files map[string][]byte
	}{
		{"a tree", all},
		{"a tree in a folder of its own", under("animals/", all)},
		{"validation images for testing", func() map[string][]byte {
			out := only(all, "train/")
			for name, b := range only(all, "test/") {
				out["val/"+strings.TrimPrefix(name, "test/")] = b
			}
			return out
		}()},
		{"three splits", pictures4x3(t, animals(t), "val/cat/%d.png", 2, 99)},
		{"one zip", map[string][]byte{"all.zip": zipOf(t, all)}},
		{"zips", map[string][]byte{
			"train-1.zip": zipOf(t, only(all, "train/cat")), "train-2.zip": zipOf(t, only(all, "train/dog")),
			"test.zip": zipOf(t, only(all, "test/")), "readme.txt": []byte("these are animals"),
		}},
		{"zips named after the split", map[string][]byte{
			"train.zip": zipOf(t, map[string][]byte{
				"cat/0.png": all["train/cat/0.png"], "cat/1.png": all["train/cat/1.png"], "cat/2.png": all["train/cat/2.png"],
				"dog/0.png": all["train/dog/0.png"], "dog/1.png": all["train/dog/1.png"], "dog/2.png": all["train/dog/2.png"],
			}),
			"test.zip": zipOf(t, map[string][]byte{
				"cat/0.png": all["test/cat/0.png"], "cat/1.png": all["test/cat/1.png"],
				"dog/0.png": all["test/dog/0.png"], "dog/1.png": all["test/dog/1.png"],
			}),
		}},
		{"a tree and a zip", map[string][]byte{
			"train/cat/0.png": all["train/cat/0.png"], "train/cat/1.png": all["train/cat/1.png"], "train/cat/2.png": all["train/cat/2.png"],
			"rest.zip": zipOf(t, map[string][]byte{
				"train/dog/0.png": all["train/dog/0.png"], "train/dog/1.png": all["train/dog/1.png"], "train/dog/2.png": all["train/dog/2.png"],
				"test/cat/0.png": all["test/cat/0.png"], "test/cat/1.png": all["test/cat/1.png"],
				"test/dog/0.png": all["test/dog/0.png"], "test/dog/1.png": all["test/dog/1.png"],
				"__MACOSX/train/dog/._0.png": []byte("what macOS adds"), "train/.DS_Store": []byte("this too"),
			}),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, filepath.Join(dir, "set"), c.files)
			for _, name := range []string{"folder:" + filepath.Join(dir, "set"), "folder:set", "folder"} {
				s, err := Load(t.Context(), name, LoadOptions{Dirs: []string{map[bool]string{true: filepath.Join(dir, "set"), false: dir}[name == "folder"]}})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(firsts(s, s.Train), []byte{10, 11, 12, 20, 21, 22}) || !slices.Equal(firsts(s, s.Test), []byte{30, 31, 40, 41}) {
					t.Errorf("images %v, %v", firsts(s, s.Train), firsts(s, s.Test))
				}
				if !slices.Equal(s.Train.Labels, []byte{0, 0, 0, 1, 1, 1}) || !slices.Equal(s.Test.Labels, []byte{0, 0, 1, 1}) {
					t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
				}
				if !slices.Equal(s.ClassNames, []string{"cat", "dog"}) || s.UserNames != nil || s.Channels != 3 || s.Height != 3 || s.Width != 4 {
					t.Errorf("classes %q, users %q, %d x %d x %d", s.ClassNames, s.UserNames, s.Channels, s.Height, s.Width)
				}
				mean, std := s.Stats(s.Train)
				if s.Mean[1] != float32(mean[1]) || s.Std[1] != float32(std[1]) || std[1] == 0 {
					t.Errorf("scaled by %v, %v", s.Mean, s.Std)
				}
			}
		})
	}
}

func TestFolderOfDomains(t *testing.T) {
	files := map[string][]byte{}
	for i, domain := range []string{"photo", "art_painting", "sketch"} {
		pictures4x3(t, files, "kfold/"+domain+"/dog/%d.png", 10, 50*i)
		pictures4x3(t, files, "kfold/"+domain+"/elephant/%d.png", 5, 50*i+20)
	}
	dir := t.TempDir()
	plant(t, dir, files)
	s, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.UserNames, []string{"art_painting", "photo", "sketch"}) || !slices.Equal(s.ClassNames, []string{"dog", "elephant"}) {
		t.Errorf("users %q, classes %q", s.UserNames, s.ClassNames)
	}
	// Two of ten dogs and one of five elephants of each domain are used for testing.
	held := map[[2]int]int{}
	for i, l := range s.Test.Labels {
		held[[2]int{int(s.Test.Users[i]), int(l)}]++
	}
	for u := range 3 {
		if held[[2]int{u, 0}] != 2 || held[[2]int{u, 1}] != 1 {
			t.Errorf("domain %s tests on %d dogs and %d elephants", s.UserNames[u], held[[2]int{u, 0}], held[[2]int{u, 1}])
		}
	}
	if s.Train.Len()+s.Test.Len() != 45 || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "9 of 45") {
		t.Errorf("%d + %d images, %q", s.Train.Len(), s.Test.Len(), s.Notes)
	}
	for i, u := range s.Train.Users { // pixels, labels and users belong together
		first := int(s.Image(s.Train, i)[0])
		if want := []int{50, 0, 100}[u] + 20*int(s.Train.Labels[i]); first < want || first >= want+10 {
			t.Errorf("image %d of domain %d and class %d starts with %d", i, u, s.Train.Labels[i], first)
		}
	}
	half, err := Load(t.Context(), "folder:"+dir, LoadOptions{Extra: map[string]string{"test": "0.5"}})
	if err != nil {
		t.Fatal(err)
	}
	if counts := half.ClassCounts(half.Test); counts[0] != 15 || counts[1] < 7 || counts[1] > 8 { // 5 of 10 dogs and 2 or 3 of 5 elephants of each
		t.Errorf("half for testing: %v", counts)
	}

	// The folder of the split may be above or below the domains.
	for _, layout := range []string{"%[1]s/%[2]s/dog/%[3]d.png", "%[2]s/%[1]s/dog/%[3]d.png"} {
		files = map[string][]byte{}
		for _, split := range []string{"train", "test"} {
			for _, domain := range []string{"amazon", "webcam"} {
				for k := range 2 {
					files[fmt.Sprintf(layout, split, domain, k)] = pngOf(t, 4, 3, k)
				}
			}
		}
		dir := t.TempDir()
		plant(t, dir, files)
		s, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.UserNames, []string{"amazon", "webcam"}) || !slices.Equal(s.Test.Users, []int32{0, 0, 1, 1}) || s.Classes != 1 {
			t.Errorf("%s: users %q, %v, %d classes", layout, s.UserNames, s.Test.Users, s.Classes)
		}
	}
}

func TestFolderSizesAndColours(t *testing.T) {
	files := animals(t)
	files["train/dog/1.png"] = pngOf(t, 8, 6, 21)
	dir := t.TempDir()
	plant(t, dir, files)
	load := func(extra ...string) (*Set, error) {
		m := map[string]string{}
		for _, kv := range extra {
			k, v, _ := strings.Cut(kv, "=")
			m[k] = v
		}
		return Load(t.Context(), "folder:"+dir, LoadOptions{Extra: m})
	}
	_, err := load()
	errtest.Want(t, err, filepath.Join(dir, "train/dog/1.png"), "8 x 6", filepath.Join(dir, "train/cat/0.png"), "4 x 3", "size=")
	for _, c := range []struct {
		extra []string
		shape [3]int
	}{
		{[]string{"size=4x3"}, [3]int{3, 3, 4}}, {[]string{"size=5"}, [3]int{3, 5, 5}},
		{[]string{"size=16x2", "resize=area"}, [3]int{3, 2, 16}}, {[]string{"size=4x3", "channels=1"}, [3]int{1, 3, 4}},
	} {
		s, err := load(c.extra...)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{s.Channels, s.Height, s.Width}; got != c.shape {
			t.Errorf("%q: shape %v", c.extra, got)
		}
	}
	for extra, word := range map[string]string{
		"size=0": "size=0", "size=axb": "size=axb", "size=9999": "4096", "resize=area": "needs the option size", "channels=2": "use 1 or 3",
		"test=1": "above 0", "test=x": "above 0", "sizes=4": "did you mean size?",
	} {
		_, err := load(extra)
		errtest.Want(t, err, word)
	}
	_, err = load("size=4", "resize=cubic")
	errtest.Want(t, err, "cubic", "bilinear")

	// A set of only grey images has one channel. With one colour image among them, it has three.
	grey, err := os.ReadFile(filepath.Join(imageFixtures, "grey.png"))
	if err != nil {
		t.Fatal(err)
	}
	colour, err := os.ReadFile(filepath.Join(imageFixtures, "rgb.png"))
	if err != nil {
		t.Fatal(err)
	}
	for second, channels := range map[*[]byte]int{&grey: 1, &colour: 3} {
		dir := t.TempDir()
		plant(t, dir, map[string][]byte{"train/a/1.png": grey, "train/b/1.png": *second, "test/a/1.png": grey, "test/b/2.png": grey})
		s, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Channels != channels || len(s.Test.Pixels) != 2*channels*17*23 {
			t.Errorf("%d channels, want %d", s.Channels, channels)
		}
	}
}

// evil returns a zip with one entry of the given name.
func evil(t *testing.T, name string) []byte {
	files := map[string][]byte{name: pngOf(t, 4, 3, 1), "train/cat/1.png": pngOf(t, 4, 3, 1), "test/cat/1.png": pngOf(t, 4, 3, 1)}
	return zipOf(t, files)
}

func TestFolderBadInput(t *testing.T) {
	png := pngOf(t, 4, 3, 1)
	cmyk, err := os.ReadFile(filepath.Join(imageFixtures, "cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	whole := zipOf(t, animals(t))
	flipped := bytes.Clone(whole)
	flipped[30+len("test/cat/0.png")+20] ^= 0xff // in the first file's bytes
	lying := bytes.Clone(whole)                  // the directory claims that the first entry unpacks to half a gigabyte
	directory := bytes.Index(lying, []byte("PK\x01\x02"))
	copy(lying[directory+24:], []byte{0, 0, 0, 0x20})
	many := map[string][]byte{}
	for k := range 257 {
		many[fmt.Sprintf("train/%03d/1.png", k)] = png
		many[fmt.Sprintf("test/%03d/1.png", k)] = png
	}
	add := func(name string, b []byte) map[string][]byte {
		files := animals(t)
		files[name] = b
		return files
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		words []string
	}{
		{"no image", map[string][]byte{"train/cat/1.txt": png}, []string{"no .jpg"}},
		{"images without folders", map[string][]byte{"1.png": png}, []string{"no folder, but its class"}},
		{"images in split folders", map[string][]byte{"train/1.png": png, "test/1.png": png}, []string{"no folder, but its class"}},
		{"folders too deep", map[string][]byte{"train/a/b/c/1.png": png, "train/b/b/d/1.png": png, "test/c/b/c/1.png": png}, []string{"the folders c/b/c", "SPLIT/CLASS"}},
		{"depths differ", add("train/cat/more/1.png", png), []string{"in 2 folders", "in 3"}},
		{"class without an image", add("train/bird/readme.txt", nil), []string{"train/bird/readme.txt", "no image"}},
		{"class in the test images alone", add("test/bird/1.png", png), []string{"test/bird/1.png", "class bird has no training image"}},
		{"no training images", only(animals(t), "test/"), []string{"no training images"}},
		{"no test images", only(animals(t), "train/"), []string{"no test images"}},
		{"a split for some", add("other/cat/1.png", png), []string{"folder of a split"}},
		{"a damaged image", add("train/cat/1.png", png[:40]), []string{"train/cat/1.png", "truncated"}},
		{"an empty image", add("train/dog/0.png", nil), []string{"train/dog/0.png", "empty file"}},
		{"CMYK", add("train/dog/x.jpg", cmyk), []string{"train/dog/x.jpg", "CMYK"}},
		{"257 classes", many, []string{"257 classes", "256"}},
		{"a truncated zip", map[string][]byte{"a.zip": whole[:len(whole)/2]}, []string{"a.zip", "truncated"}},
		{"no zip at all", map[string][]byte{"a.zip": []byte("<html>404</html>")}, []string{"a.zip", "not a zip"}},
		{"a damaged zip", map[string][]byte{"a.zip": flipped}, []string{"a.zip: test/cat/0.png", "damaged"}},
		{"a zip that lies", map[string][]byte{"a.zip": lying}, []string{"a.zip: t", "unpacks to more than"}},
		{"a file twice", map[string][]byte{"a.zip": whole, "b.zip": whole}, []string{"a.zip: test/cat/0.png", "b.zip: test/cat/0.png", "same file"}},
		{"up and out", map[string][]byte{"a.zip": evil(t, "../../etc/cat/1.png")}, []string{"a.zip", `"../../etc/cat/1.png"`, "do not trust"}},
		{"out in the middle", map[string][]byte{"a.zip": evil(t, "train/cat/../../../../x.png")}, []string{"do not trust"}},
		{"absolute", map[string][]byte{"a.zip": evil(t, "/etc/cat/1.png")}, []string{"do not trust"}},
		{"backslashes", map[string][]byte{"a.zip": evil(t, `..\..\cat\1.png`)}, []string{"do not trust"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, c.files)
			_, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
			errtest.Want(t, err, append(c.words, dir)...)
		})
	}
	t.Run("empty class folder", func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, animals(t))
		if err := os.Mkdir(filepath.Join(dir, "train", "bird"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
		errtest.Want(t, err, filepath.Join(dir, "train", "bird"), "no image")
	})
	t.Run("links in a circle", func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, animals(t))
		if err := os.Symlink(dir, filepath.Join(dir, "train", "loop")); err != nil {
			t.Skip(err)
		}
		_, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
		errtest.Want(t, err, "same folder", "loop")
	})
	t.Run("nowhere", func(t *testing.T) {
		_, err := Load(t.Context(), "folder:pacs", LoadOptions{Dirs: []string{"/nonexistent"}})
		var notFound *NotFoundError
		if errtest.Want(t, err, "folder:pacs not found", "/nonexistent/pacs"); !errors.As(err, &notFound) {
			t.Error("not a NotFoundError")
		}
		_, err = Load(t.Context(), "folder:", LoadOptions{})
		errtest.Want(t, err, "folder:PATH")
		_, err = Load(t.Context(), "mnist:/data", LoadOptions{})
		errtest.Want(t, err, "takes no path")
		_, err = Load(t.Context(), "mnist", LoadOptions{Extra: map[string]string{"size": "3"}})
		errtest.Want(t, err, "no options")
	})
}

func TestLoadStopsWhenAsked(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, animals(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, "folder:"+dir, LoadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The error is about the first invalid image, whatever the number of cores.
func TestFirstBadImage(t *testing.T) {
	files := pictures4x3(t, map[string][]byte{}, "train/cat/%04d.png", 600, 0)
	pictures4x3(t, files, "test/cat/%d.png", 1, 0)
	for _, k := range []int{300, 301, 302, 599} {
		files[fmt.Sprintf("train/cat/%04d.png", k)] = []byte("no image")
	}
	dir := t.TempDir()
	plant(t, dir, files)
	for _, cores := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(cores)
		_, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
		runtime.GOMAXPROCS(old)
		errtest.Want(t, err, "train/cat/0300.png")
	}
}

func FuzzZipTree(f *testing.F) {
	small := map[string][]byte{"train/cat/1.png": pngOf(f, 2, 2, 1), "test/cat/1.png": pngOf(f, 2, 2, 2)}
	f.Add(zipOf(f, small))
	f.Add(zipOf(f, map[string][]byte{"../a/1.png": nil, "train/": nil}))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var s *Set
		var err error
		alloctest.Within(t, 1<<30, func() { s, err = Load(t.Context(), "folder:"+path, LoadOptions{}) })
		if err == nil {
			err = s.Check()
			if err != nil {
				t.Error(err)
			}
		}
	})
}
