package data

import (
	"cmp"
	"fmt"
	"slices"

	"feddag/internal/stream"
)

// splits divides the pictures of a folder or list into training and test images, which keep the given order. If no picture
// has a split, a share of them is used for testing: see heldOut. If there are no test images, the validation images are used
// for testing; otherwise they are left out. missing says in the notes what the set lacks, for instance "no test folder".
func splits(pictures []picture, share float64, missing string) (train, test []picture, notes []string) {
	by := map[string][]picture{}
	for _, p := range pictures {
		by[p.split] = append(by[p.split], p)
	}
	train, test = by["train"], by["test"]
	switch {
	case len(by[""]) > 0:
		for i, held := range heldOut(pictures, share) {
			if held {
				test = append(test, pictures[i])
			} else {
				train = append(train, pictures[i])
			}
		}
		notes = append(notes, fmt.Sprintf("%s: %d of %d images, evenly from each user and class, are used for testing", missing, len(test), len(pictures)))
	case len(by["val"]) == 0:
	case len(test) == 0:
		test = by["val"]
		notes = append(notes, fmt.Sprintf("%s: the %d validation images are used for testing", missing, len(test)))
	default:
		notes = append(notes, fmt.Sprintf("%d validation images are left out", len(by["val"])))
	}
	return train, test, notes
}

// cell is the pictures of one user and class.
type cell struct {
	class, user int
	pictures    []int // indices of the pictures, in order
	share       int64 // the expected number of test images, in units of 1/shareUnit
}

// shareUnit is the denominator of shares. Whole numbers of it keep the split free of rounding errors.
const shareUnit = 1_000_000

// heldOut reports which pictures are used for testing. The expected number of test images of each user and class is the
// given share of its images. It is rounded up or down at random, with a fixed seed, in such a way that the totals of each
// class and of each user are also the expected totals, rounded up or down: see roundShares. A class with two or more images
// has at least one test image and one training image. If a user has only one image, it is a training image, unless the class
// of the image would have no test image.
//
// The test images of a cell are evenly spaced in the order of the pictures. If the share of a cell is a whole number, they
// are the last of each interval, for instance every fifth. Otherwise the first distance is random.
func heldOut(pictures []picture, share float64) []bool {
	cells, classes, users := cellsOf(pictures)
	s := min(max(int64(share*shareUnit+0.5), 1), shareUnit-1)
	setShares(cells, classes, users, s)
	random := stream.New(0, "data/split")
	counts := roundShares(cells, classes, users, random.Int64N)
	held := make([]bool, len(pictures))
	for i, c := range cells {
		n, t := len(c.pictures), counts[i]
		phase := t
		if c.share%shareUnit != 0 {
			phase = random.IntN(n)
		}
		for k, p := range c.pictures {
			held[p] = (k*t+phase)%n < t
		}
	}
	return held
}

// cellsOf groups pictures by class and user, sorted by their names, and returns the numbers of classes and users.
func cellsOf(pictures []picture) (cells []cell, classes, users int) {
	classNames, userNames := map[string]bool{}, map[string]bool{}
	for _, p := range pictures {
		classNames[p.class], userNames[p.user] = true, true
	}
	class, user := positions(sortedKeys(classNames)), positions(sortedKeys(userNames))
	at := map[[2]int]int{}
	for i, p := range pictures {
		key := [2]int{class[p.class], user[p.user]}
		k, known := at[key]
		if !known {
			k = len(cells)
			at[key] = k
			cells = append(cells, cell{class: key[0], user: key[1]})
		}
		cells[k].pictures = append(cells[k].pictures, i)
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Or(a.class-b.class, a.user-b.user) })
	return cells, len(class), len(user)
}

// setShares sets the expected number of test images of each cell, which is the given share of its images, in units of
// 1/shareUnit. If a class would have less than one test image, or no training image, its test images are divided between
// its cells in proportion.
func setShares(cells []cell, classes, users int, share int64) {
	ofUser, ofClass, eligible := make([]int, users), make([]int, classes), make([]int, classes)
	for _, c := range cells {
		ofUser[c.user] += len(c.pictures)
		ofClass[c.class] += len(c.pictures)
	}
	for _, c := range cells {
		if ofUser[c.user] > 1 {
			eligible[c.class] += len(c.pictures)
		}
	}
	seen := make([]int64, classes)
	for i := range cells {
		c := &cells[i]
		n, all := int64(eligible[c.class]), int64(ofClass[c.class])
		switch {
		case all < 2:
			continue // the only image of a class is used for training
		case n == 0:
			n = all
		case ofUser[c.user] == 1:
			continue
		}
		total := min(max(n*share, shareUnit), min(n, all-1)*shareUnit)
		if c.share = int64(len(c.pictures)) * share; total == n*share {
			continue
		}
		from := seen[c.class]
		seen[c.class] += int64(len(c.pictures))
		c.share = seen[c.class]*total/n - from*total/n
		c.share = min(c.share, int64(len(c.pictures))*shareUnit)
	}
}
