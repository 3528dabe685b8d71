package similarity

import (
	"fmt"
	"math"
)

// ShiftFactor is the factor of the paper in eq. 41.
const ShiftFactor = 0.2

// HistogramShift compares the class histograms of a client at two times (appendix A.9). It returns the 1-Wasserstein
// distance between them, with the classes as the points 0..C-1, and the bound above which the client has shifted (eq. 41):
//
//	W1 = n Σ_{c<C-1} | F_old(c) - F_new(c) |,  bound = 0.2 n / C
//
// F(c) is the share of the samples of classes 0..c, and n is the number of newly processed samples. W1 is in samples times
// classes. Both histograms are scaled to n samples, because a distance between distributions of mass needs equal masses. So n
// cancels, and the test is whether the mean sample has moved by more than 0.2/C of a class. This bound is small. n new samples
// from equal shares of 10 classes are on average 3/sqrt(n) of a class away from the shares themselves, so with fewer than about
// 20,000 samples chance alone exceeds the bound. For histograms of random samples, compare W1 with a multiple of the bound.
//
// old and now are counts n_i,c of the same C classes (C at least 1), at least one sample each; n is 1 or more.
func HistogramShift(old, now []int, n int) (w1, bound float64, err error) {
	if len(old) != len(now) || len(old) == 0 {
		return 0, 0, fmt.Errorf("shift: the histograms have %d and %d classes: the numbers must be equal and at least 1", len(old), len(now))
	}
	if n < 1 {
		return 0, 0, fmt.Errorf("shift: the number of newly processed samples is %d: use 1 or more", n)
	}
	var totalOld, totalNow float64
	for c := range old {
		if old[c] < 0 || now[c] < 0 {
			return 0, 0, fmt.Errorf("shift: class %d has %d and %d samples", c, old[c], now[c])
		}
		totalOld += float64(old[c])
		totalNow += float64(now[c])
	}
	if totalOld == 0 || totalNow == 0 {
		return 0, 0, fmt.Errorf("shift: a histogram without samples has no shares to compare")
	}
	var fOld, fNow float64 // samples of classes 0..c
	for c := range len(old) - 1 {
		fOld += float64(old[c])
		fNow += float64(now[c])
		w1 += float64(n) * math.Abs(fOld/totalOld-fNow/totalNow)
	}
	return w1, ShiftFactor * float64(n) / float64(len(old)), nil
}
