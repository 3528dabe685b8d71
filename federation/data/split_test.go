package data

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// grid returns n pictures of each class of each user.
func grid(users, classes, n int) []picture {
	var pictures []picture
	for c := range classes {
		for u := range users {
			for k := range n {
				pictures = append(pictures, picture{node: &node{file: fmt.Sprintf("%02d", k)}, class: fmt.Sprintf("c%02d", c), user: fmt.Sprintf("u%02d", u)})
			}
		}
	}
	return pictures
}

// heldBy counts the pictures and the held-out pictures, by class, by user and by both.
func heldBy(pictures []picture, held []bool) (all, test map[string]int) {
	all, test = map[string]int{}, map[string]int{}
	for i, p := range pictures {
		for _, key := range []string{p.class, p.user, p.class + p.user} {
			all[key]++
			if held[i] {
				test[key]++
			}
		}
	}
	return all, test
}

func TestHeldOutIsStratified(t *testing.T) {
	for _, c := range []struct {
		users, classes, n int
		share             float64
	}{{30, 10, 2, 0.2}, {30, 10, 1, 0.2}, {7, 3, 4, 0.2}, {5, 10, 3, 0.35}, {1, 10, 7, 0.2}, {12, 5, 9, 0.1}, {6, 6, 5, 0.9}} {
		pictures := grid(c.users, c.classes, c.n)
		held := heldOut(pictures, c.share)
		all, test := heldBy(pictures, held)
		for _, key := range sortedKeys(all) {
			if want := float64(all[key]) * c.share; float64(test[key]) <= want-1 || float64(test[key]) >= want+1 {
				t.Errorf("%+v: %d of %d images of %s are for testing", c, test[key], all[key], key)
			}
		}
		tested := map[string]bool{} // the tested classes of each user, which are not the same for all users
		for u := range c.users {
			var classes []string
			for k := range c.classes {
				if test[fmt.Sprintf("c%02du%02d", k, u)] > 0 {
					classes = append(classes, fmt.Sprint(k))
				}
			}
			tested[strings.Join(classes, " ")] = true
		}
		if c.users == 30 && len(tested) < 10 {
			t.Errorf("%+v: 30 users have %d sets of tested classes", c, len(tested))
		}
		if !slices.Equal(held, heldOut(pictures, c.share)) {
			t.Errorf("%+v: another split of the same pictures", c)
		}
	}
}

// If the share of each user and class is a whole number, every fifth of its images is used for testing.
func TestHeldOutEveryFifth(t *testing.T) {
	for i, held := range heldOut(grid(3, 4, 10), 0.2) {
		if held != (i%5 == 4) {
			t.Errorf("image %d: %v", i, held)
		}
	}
}

// If the share of a cell is not a whole number, the test image is not always the last image.
func TestHeldOutPlaces(t *testing.T) {
	places := [2]int{}
	for i, held := range heldOut(grid(30, 10, 2), 0.2) {
		if held {
			places[i%2]++
		}
	}
	if places[0] < 40 || places[1] < 40 {
		t.Errorf("first and second images for testing: %v", places)
	}
}

func TestHeldOutOfFewImages(t *testing.T) {
	var pictures []picture
	add := func(user, class string, n int) {
		for range n {
			pictures = append(pictures, picture{node: &node{}, user: user, class: class})
		}
	}
	add("a", "one image", 1)
	add("a", "two images", 2)
	add("b", "three images", 3)
	add("b", "shared", 1)
	add("c", "shared", 1) // the only image of user c
	add("d", "of users of one image", 1)
	add("e", "of users of one image", 1)
	for _, share := range []float64{1e-9, 0.2, 0.5, 0.999999999} {
		held := heldOut(pictures, share)
		all, test := heldBy(pictures, held)
		for class, want := range map[string][2]int{"one image": {0, 0}, "two images": {1, 1}, "three images": {1, 2}, "shared": {1, 1}, "of users of one image": {1, 1}, "c": {0, 0}} {
			if test[class] < want[0] || test[class] > want[1] {
				t.Errorf("share %v: %d of %d images of %q are for testing, want %v", share, test[class], all[class], class, want)
			}
		}
	}
	if held := heldOut(grid(1, 1, 4), 0.2); !slices.Contains(held, true) {
		t.Error("none of 4 images is for testing")
	}
}

// The numbers of each class, user and cell are rounded up or down, and equal the share on average.
func TestRoundShares(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		classes, users := 1+random.IntN(8), 1+random.IntN(20)
		var cells []cell
		for c := range classes {
			for u := range users {
				if random.IntN(3) > 0 {
					cells = append(cells, cell{class: c, user: u, share: random.Int64N(3 * shareUnit)})
				}
			}
		}
		counts := roundShares(cells, classes, users, random.Int64N)
		for name, of := range map[string]func(i int) int{
			"cell":  func(i int) int { return i },
			"class": func(i int) int { return cells[i].class },
			"user":  func(i int) int { return cells[i].user },
		} {
			want, got := map[int]int64{}, map[int]int64{}
			for i, c := range cells {
				want[of(i)] += c.share
				got[of(i)] += int64(counts[i]) * shareUnit
			}
			for k, w := range want {
				if d := got[k] - w; d <= -shareUnit || d >= shareUnit {
					t.Fatalf("%s %d has %d images, want %v", name, k, got[k]/shareUnit, float64(w)/shareUnit)
				}
			}
		}
	}
	cells := []cell{{class: 0, user: 0, share: 300_000}, {class: 0, user: 1, share: 900_000}, {class: 1, user: 0, share: 600_000}, {class: 1, user: 1, share: 500_000}, {class: 1, user: 2, share: 100_000}}
	sums := make([]int, len(cells))
	const times = 20_000
	for range times {
		for i, n := range roundShares(cells, 2, 3, random.Int64N) {
			sums[i] += n
		}
	}
	for i, c := range cells {
		if mean, want := float64(sums[i])/times, float64(c.share)/shareUnit; mean < want-0.02 || mean > want+0.02 {
			t.Errorf("cell %d has a mean of %v, want %v", i, mean, want)
		}
	}
}

// The split of a list depends neither on the order of its lines nor on the kind of source.
func TestSplitIsTheSameForAll(t *testing.T) {
	dir := t.TempDir()
	files, lines := map[string][]byte{}, []string{}
	for u := range 6 {
		for c := range 5 {
			for k := range 2 {
				name := fmt.Sprintf("u%d/%d/u%d_%d_%d.png", u, c, u, c, k)
				files[name] = pngOf(t, 4, 3, len(files))
				lines = append(lines, fmt.Sprintf("u%d,%s,%d\n", u, name, c))
			}
		}
	}
	plant(t, dir, under("images/", files))
	backwards := slices.Clone(lines)
	slices.Reverse(backwards)
	plant(t, dir, map[string][]byte{
		"train.csv": []byte("user,file,label\n" + strings.Join(lines, "")), "b.csv": []byte("user,file,label\n" + strings.Join(backwards, "")),
	})
	var sets []*Set
	for _, name := range []string{"csv:" + dir + "/train.csv", "csv:" + dir + "/b.csv", "folder:" + dir + "/images"} {
		o := LoadOptions{}
		if strings.HasPrefix(name, "csv:") {
			o.Extra = map[string]string{"images": "images"}
		}
		s, err := Load(t.Context(), name, o)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s)
		if s.Test.Len() != 12 || !reflect.DeepEqual(s.Train, sets[0].Train) || !reflect.DeepEqual(s.Test, sets[0].Test) {
			t.Errorf("%s: another split, of %d test images", name, s.Test.Len())
		}
		if !strings.Contains(strings.Join(s.Notes, "\n"), "12 of 60 images, evenly from each user and class") {
			t.Errorf("%s: notes %q", name, s.Notes)
		}
		for c, n := range s.ClassCounts(s.Test) {
			if n < 2 || n > 3 {
				t.Errorf("%s: %d test images of class %d", name, n, c)
			}
		}
	}
}
