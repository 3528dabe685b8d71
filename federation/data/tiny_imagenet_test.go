package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// tinyImageNetFiles returns a set of three classes with two training images and one validation image each, of 4 x 3 pixels.
func tinyImageNetFiles(t testing.TB) map[string][]byte {
	wnids := []string{"n03", "n01", "n02"}
	files := map[string][]byte{
		"wnids.txt": []byte(strings.Join(wnids, "\n") + "\n"),
		"words.txt": []byte("n00\tentity\nn01\tgoldfish, Carassius auratus\nn02\tcrane\nn03\tcrane\n"),
	}
	var annotations strings.Builder
	for i, wnid := range wnids {
		for k := range 2 {
			files[fmt.Sprintf("train/%s/images/%s_%d.png", wnid, wnid, k)] = pngOf(t, 4, 3, 10*i+k)
		}
		files["train/"+wnid+"/"+wnid+"_boxes.txt"] = []byte("n_0.JPEG\t0\t0\t3\t2\n")
		files[fmt.Sprintf("val/images/val_%d.png", i)] = pngOf(t, 4, 3, 100+i)
		fmt.Fprintf(&annotations, "val_%d.png\t%s\t0\t0\t3\t2\n", i, wnid)
	}
	files["val/val_annotations.txt"] = []byte(annotations.String())
	files["test/images/test_0.png"] = pngOf(t, 4, 3, 200)
	grey, err := os.ReadFile(filepath.Join(imageFixtures, "grey.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	files["train/n01/images/n01_9.JPEG"] = grey // 23 x 17, so a size must be given
	return files
}

func TestTinyImageNet(t *testing.T) {
	files := tinyImageNetFiles(t)
	sorted := tinyImageNetFiles(t)
	for i, wnid := range []string{"n03", "n01", "n02"} {
		name := fmt.Sprintf("val_%d.png", i)
		sorted["val/"+wnid+"/"+name] = sorted["val/images/"+name]
		delete(sorted, "val/images/"+name)
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
	}{
		{"as published", under("tiny-imagenet-200/", files)},
		{"without its folder", files},
		{"validation images sorted by class", under("tiny-imagenet/tiny-imagenet-200/", sorted)},
		{"zip", map[string][]byte{"tiny-imagenet-200.zip": zipOf(t, under("tiny-imagenet-200/", files))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, c.files)
			s, err := Load(t.Context(), "tiny_imagenet", LoadOptions{Dirs: []string{"/nonexistent", dir}, Extra: map[string]string{"size": "4x3"}})
			if err != nil {
				t.Fatal(err)
			}
			if s.Channels != 3 || !slices.Equal(s.Mean, []float32{.5, .5, .5}) || s.Title != "Tiny ImageNet" {
				t.Errorf("%d channels, mean %v", s.Channels, s.Mean)
			}
			if !slices.Equal(s.Train.Labels, []byte{0, 0, 0, 1, 1, 2, 2}) || !slices.Equal(s.Test.Labels, []byte{0, 1, 2}) {
				t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
			}
			if got := firsts(s, s.Train); !slices.Equal(slices.Delete(slices.Clone(got), 2, 3), []byte{10, 11, 20, 21, 0, 1}) {
				t.Errorf("training images %v", got)
			}
			if got := firsts(s, s.Test); !slices.Equal(got, []byte{101, 102, 100}) {
				t.Errorf("test images %v", got)
			}
			if !slices.Equal(s.ClassNames, []string{"goldfish", "crane n02", "crane n03"}) {
				t.Errorf("classes %q", s.ClassNames)
			}
		})
	}
	dir := t.TempDir()
	plant(t, dir, files)
	_, err := Load(t.Context(), "tiny-imagenet", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "n01_9.JPEG", "23 x 17", "size=")
}

func TestTinyImageNetBadFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(files map[string][]byte)
		words  []string
	}{
		{"a class that is not listed", func(f map[string][]byte) { f["train/n07/images/a.png"] = pngOf(t, 4, 3, 1) }, []string{"train/n07/images/a.png", "n07 is not in wnids.txt"}},
		{"a class without images", func(f map[string][]byte) { f["wnids.txt"] = []byte("n01\nn02\nn03\nn04\n") }, []string{"train/n04"}},
		{"an image without a label", func(f map[string][]byte) { f["val/images/val_7.png"] = pngOf(t, 4, 3, 1) }, []string{"val/images/val_7.png", "val_annotations.txt"}},
		{"a label without an image", func(f map[string][]byte) { delete(f, "val/images/val_1.png") }, []string{"labels 3 images, but there are 2"}},
		{"a label that is not listed", func(f map[string][]byte) {
			f["val/val_annotations.txt"] = []byte("val_0.png\tn09\nval_1.png\tn01\nval_2.png\tn02\n")
		}, []string{"n09 is not in wnids.txt"}},
		{"a line cut off", func(f map[string][]byte) { f["val/val_annotations.txt"] = []byte("val_0.png\tn03\nval_1") }, []string{"line 2 has 1 fields"}},
		{"no annotations", func(f map[string][]byte) { delete(f, "val/val_annotations.txt") }, []string{"val/val_annotations.txt is missing"}},
		{"an empty list", func(f map[string][]byte) { f["wnids.txt"] = nil }, []string{"wnids.txt: it is empty"}},
		{"no validation images", func(f map[string][]byte) {
			for i := range 3 {
				delete(f, fmt.Sprintf("val/images/val_%d.png", i))
			}
		}, []string{"no image in val/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			files := tinyImageNetFiles(t)
			c.change(files)
			plant(t, filepath.Join(dir, "tiny-imagenet-200"), files)
			_, err := Load(t.Context(), "tiny-imagenet", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"size": "4"}})
			errtest.Want(t, err, append(c.words, dir)...)
		})
	}
	dir := t.TempDir()
	plant(t, dir, map[string][]byte{"tiny-imagenet-200/wnids.txt": []byte("n01\n"), "tiny-imagenet-200/val/a.txt": nil})
	_, err := Load(t.Context(), "tiny-imagenet", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "tiny-imagenet not found", "lacks train/ or val/", "tiny-imagenet-200.zip")
}
