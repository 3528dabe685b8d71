package data

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// publishIDX makes these files the published files of a registered set until the test ends.
func publishIDX(t *testing.T, name string, files map[string][]byte, train, test int) {
	x := idxSets[name]
	unpacked, images := x.unpacked, x.origin.images
	t.Cleanup(func() { x.unpacked, x.origin.images = unpacked, images })
	for i, file := range idxFiles {
		sum := md5.Sum(files[file])
		x.unpacked[i] = hex.EncodeToString(sum[:])
	}
	x.origin.images = [2]int{train, test}
}

// relabelled returns the tiny files with the first training label changed.
func relabelled() map[string][]byte {
	files := tinyFiles()
	files[idxFiles[1]][8] = 7
	return files
}

func TestIdentify(t *testing.T) {
	publishIDX(t, "fashion-mnist", tinyFiles(), 30, 20)
	publishIDX(t, "mnist", relabelled(), 30, 20)
	stranger := tinyFiles()
	stranger[idxFiles[1]][9] = 7
	packed := gz(t, stranger[idxFiles[1]])
	sum := md5.Sum(packed)
	unreadIDXSets["Strange-MNIST"] = [2]string{hex.EncodeToString(sum[:]), ""}
	t.Cleanup(func() { delete(unreadIDXSets, "Strange-MNIST") })

	edit := func(change func(files map[string][]byte)) map[string][]byte {
		files := tinyFiles()
		change(files)
		return files
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		note  string   // "" for none
		words []string // words of the error; nil for none
	}{
		{"as published", tinyFiles(), "", nil},
		{"as published, packed", edit(func(f map[string][]byte) {
			for _, name := range idxFiles {
				f[name+".gz"] = gz(t, f[name])
				delete(f, name)
			}
		}), "", nil},
		{"other pixels", edit(func(f map[string][]byte) { f[idxFiles[2]][100]++ }), "content of " + idxFiles[2] + " differs", nil},
		{"another set", relabelled(), "", []string{"labels of MNIST, not of Fashion-MNIST", "--dataset mnist"}},
		{"a set that is not read", edit(func(f map[string][]byte) {
			f[idxFiles[1]], f[idxFiles[1]+".gz"] = stranger[idxFiles[1]], packed
		}), "", []string{"labels of Strange-MNIST", "no reader"}},
		{"a set that is not read, packed", edit(func(f map[string][]byte) {
			delete(f, idxFiles[1])
			f[idxFiles[1]+".gz"] = packed
		}), "", []string{"labels of Strange-MNIST", "no reader"}},
		{"an unknown set", stranger, "", []string{"not the labels of Fashion-MNIST", idxFiles[1], "another set"}},
		{"other test labels", edit(func(f map[string][]byte) { f[idxFiles[3]][8] = 5 }), "", []string{"not the labels of Fashion-MNIST", idxFiles[3]}},
		{"a part", edit(func(f map[string][]byte) {
			f[idxFiles[0]], f[idxFiles[1]] = idxBytes(0x803, []uint32{29, 28, 28}, imagesOf(29)), idxBytes(0x801, []uint32{29}, labelsOf(29))
		}), "29 + 20 images with labels that differ", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			s, err := Load(t.Context(), "fashion-mnist", LoadOptions{Dirs: []string{dir}})
			if c.words != nil {
				errtest.Want(t, err, append(c.words, dir)...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(s.Notes, "\n")
			if c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, must have %q", notes, c.note)
			}
		})
	}
}

// TestBalancedSetIsNotFashionMNIST reads a set with the same number of images of each class as Fashion-MNIST, like KMNIST.
func TestBalancedSetIsNotFashionMNIST(t *testing.T) {
	const n = 60000
	dir := t.TempDir()
	files := tinyFiles()
	files[idxFiles[0]+".gz"] = gz(t, idxBytes(0x803, []uint32{n, 28, 28}, make([]byte, n*784)))
	delete(files, idxFiles[0])
	files[idxFiles[1]] = idxBytes(0x801, []uint32{n}, labelsOf(n))
	write(t, dir, files)
	for _, name := range []string{"fashion-mnist", "mnist"} {
		_, err := Load(t.Context(), name, LoadOptions{Dirs: []string{dir}})
		errtest.Want(t, err, "not the labels of "+Title(name), filepath.Join(dir, idxFiles[1]))
		if strings.Contains(err.Error(), "choose --dataset") {
			t.Errorf("the error advises to read it as another set: %v", err)
		}
	}
}

func TestVerifyComparesThePixels(t *testing.T) {
	publishIDX(t, "mnist", tinyFiles(), 30, 20)
	dir := t.TempDir()
	files := tinyFiles()
	for _, c := range []struct {
		change bool
		text   string
	}{{false, "as published"}, {true, "not as published"}} {
		if c.change {
			files[idxFiles[0]] = bytes.Clone(files[idxFiles[0]])
			files[idxFiles[0]][50]++
		}
		write(t, dir, files)
		found, err := Verify(t.Context(), "mnist", LoadOptions{Dirs: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		checked := false
		for _, f := range found {
			if f.What == "pixels and labels" {
				checked = true
				if f.Failed != c.change || !strings.HasPrefix(f.Text, c.text) {
					t.Errorf("changed %v: %+v", c.change, f)
				}
			}
		}
		if !checked {
			t.Error("Verify says nothing about the pixels")
		}
	}
}
