package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

func TestLEAF(t *testing.T) {
	whole, err := Load(t.Context(), "leaf:all", LoadOptions{Dirs: []string{"testdata/leaf"}})
	if err != nil {
		t.Fatal(err)
	}
	split, err := Load(t.Context(), "LEAF:femnist", LoadOptions{Dirs: []string{"testdata/leaf"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Set{whole, split} {
		if s.Channels != 1 || s.Height != 4 || s.Width != 4 || s.Classes != 5 || !slices.Equal(s.UserNames, []string{"w0", "w1", "w2", "w3", "w4"}) {
			t.Fatalf("%d x %d x %d, %d classes, users %q", s.Channels, s.Height, s.Width, s.Classes, s.UserNames)
		}
		if s.Train.Len()+s.Test.Len() != 25 {
			t.Fatalf("%d + %d images", s.Train.Len(), s.Test.Len())
		}
	}
	var at [2]int
	for w := range 5 {
		for i := range w + 3 {
			k, im := 0, split.Train
			if i >= w+1 {
				k, im = 1, split.Test
			}
			if im.Users[at[k]] != int32(w) || im.Labels[at[k]] != byte((w+i)%5) {
				t.Errorf("image %d of writer %d is of user %d and label %d", i, w, im.Users[at[k]], im.Labels[at[k]])
			}
			for p, got := range split.Image(im, at[k]) {
				if want := byte(60*w + 13*i + p); got != want {
					t.Fatalf("pixel %d of image %d of writer %d is %d, want %d", p, i, w, got, want)
				}
			}
			at[k]++
		}
	}
	// If the images have no splits, a fifth is used for testing, at least one of each class.
	if n := whole.Test.Len(); n != 5 || slices.Contains(whole.ClassCounts(whole.Test), 0) {
		t.Errorf("%d test images, of each class %v", n, whole.ClassCounts(whole.Test))
	}
	inverted, err := Load(t.Context(), "leaf:all", LoadOptions{Dirs: []string{"testdata/leaf"}, Extra: map[string]string{"scale": "inverted", "size": "8x2"}})
	if err != nil {
		t.Fatal(err)
	}
	if inverted.Height != 2 || inverted.Width != 8 || inverted.Train.Pixels[3] != 255-whole.Train.Pixels[3] {
		t.Errorf("inverted: %d x %d, pixel %d for %d", inverted.Height, inverted.Width, inverted.Train.Pixels[3], whole.Train.Pixels[3])
	}
}

// leafText is a file with one image of 2 x 2 of user a and another image of user b.
const leafText = `{"users": ["a", "b"], "num_samples": [1, 1], "user_data": {"a": {"x": [[0, 1, 0.2, 0]], "y": [0]}, "b": {"y": [1.0], "x": [[1, 1, 1, 0]]}}}`

func TestBadLEAF(t *testing.T) {
	for _, c := range []struct {
		old, with string
		extra     map[string]string
		words     []string
	}{
		{"0.2", "0.123", nil, []string{`user "a": image 0: the value 0.123 is not a pixel on the scale unit`}},
		{"0.2", "1.2", nil, []string{"the value 1.2 is not a pixel"}},
		{"0.2", "NaN", nil, []string{`user "a": image 0: byte`, "does not begin a value"}},
		{"0.2", "null", nil, []string{"null, must be a number"}},
		{"[0, 1, 0.2, 0]", `"a.jpg"`, nil, []string{"x has text", "csv:PATH"}},
		{"[0, 1, 0.2, 0]", "[]", nil, []string{`user "a": image 0: it has no values`}},
		{"[1, 1, 1, 0]", "[1, 1]", nil, []string{`user "b": image 0: it has 2 values, but earlier images have 4`}},
		{"1.0", "1.5", nil, []string{`user "b": image 0: label 1.5`}},
		{"1.0", "256", nil, []string{`label 256`}},
		{"1.0", "1, 2", nil, []string{`user "b": there are 1 images in x, but 2 labels in y`}},
		{`"b": {`, `"a": {`, nil, []string{`user "a": it occurs twice`}},
		{`"num_samples": [1, 1]`, `"num_samples": [1, 2]`, nil, []string{`user "b": there are 1 images in user_data, but num_samples says 2`}},
		{`["a", "b"]`, `["a", "c"]`, nil, []string{`user "c": there are 0 images`}},
		{`["a", "b"]`, `["a"]`, nil, []string{"1 users and 2 num_samples for the 2 users"}},
		{`"users"`, `"people"`, nil, []string{`the key "people" is not one of LEAF's`}},
		{`"y": [0]`, `"z": [0]`, nil, []string{`user "a": the key "z"`}},
		{`"y": [0]`, `"x": [[0]]`, nil, []string{`user "a": the key "x" occurs twice`}},
		{"}}}", "}}", nil, []string{"truncated JSON"}},
		{"}}}", "}}}{", nil, []string{"more follows"}},
		{leafText, leafText, map[string]string{"size": "3x2"}, []string{"images have 4 values, but the option size=3x2"}},
		{leafText, leafText, map[string]string{"scale": "units"}, []string{"units", "unit"}},
		{leafText, strings.NewReplacer("[0, 1, 0.2, 0]", "[1, 1]", "[1, 1, 1, 0]", "[0, 1]").Replace(leafText), nil, []string{"2 values, which is not a square"}},
		{leafText, `{"users": [], "num_samples": [], "user_data": {}}`, nil, []string{"0 training"}},
	} {
		dir := t.TempDir()
		text := strings.Replace(leafText, c.old, c.with, 1)
		write(t, filepath.Join(dir, "train"), map[string][]byte{"a.json": []byte(text)})
		write(t, filepath.Join(dir, "test"), map[string][]byte{"a.json": []byte(text)})
		_, err := Load(t.Context(), "leaf:"+dir, LoadOptions{Extra: c.extra})
		place := filepath.Join(dir, "train", "a.json")
		if c.old == leafText {
			place = ""
		}
		errtest.Want(t, err, append(c.words, place)...)
	}
	dir := t.TempDir()
	fail := func(words ...string) {
		t.Helper()
		_, err := Load(t.Context(), "leaf:"+dir, LoadOptions{})
		errtest.Want(t, err, words...)
	}
	fail(dir, "no .json file")
	write(t, filepath.Join(dir, "train"), map[string][]byte{"a.json": []byte(leafText), "b.json": []byte(leafText), "readme": nil})
	fail("test")
	write(t, filepath.Join(dir, "test"), map[string][]byte{"a.json": []byte(leafText)})
	fail("train/b.json", `user "a": it occurs twice`)
	if err := os.Remove(filepath.Join(dir, "train", "b.json")); err != nil {
		t.Fatal(err)
	}
	s, err := Load(t.Context(), "leaf:"+dir, LoadOptions{})
	if err != nil || !strings.Contains(strings.Join(s.Notes, "\n"), "1 file is left out of "+filepath.Join(dir, "train")) {
		t.Fatal(s, err)
	}
	if !slices.Equal(s.Train.Pixels, []byte{0, 255, 51, 0, 255, 255, 255, 0}) || !slices.Equal(s.Train.Labels, []byte{0, 1}) {
		t.Errorf("pixels %v, labels %v", s.Train.Pixels, s.Train.Labels)
	}
}
