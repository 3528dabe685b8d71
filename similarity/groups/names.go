package groups

import (
	"math"

	"feddag/internal/matching"
)

// SameNames returns a function that reports whether two clusters give the same labels to the same kinds of images, although the
// images may look different, as under feature skew. A difference that all classes have in common, and a difference in contrast,
// do not matter. The function compares the classes that both clusters hold. It needs evidence for the names: if the images of the
// clusters are too few or too different to say which class is which, it reports false.
func (r *Roster) SameNames() func(a, b int) bool {
	return r.kinds().sameNames
}

// sameNames reports whether clusters a and b name the classes that both hold alike. The one-to-one matchings of these classes are
// compared by the sum of the squared distances between matched classes. This sum changes for all matchings in the same way if all
// classes are shifted together or scaled. Two conditions must hold, the second one because noise alone would meet the first.
//
//   - No other matching costs less than that of equal labels, where equal labels have a credit of nameCredit standard deviations.
//   - The matching of equal labels costs less than the mean over all matchings, by nameCredit standard deviations or more.
func (k *kinds) sameNames(a, b int) bool {
	var both []int
	for c := range k.whole.classes {
		if k.holds(a, c) && k.holds(b, c) {
			both = append(both, c)
		}
	}
	n := len(both)
	if n < 2 {
		return n == 1
	}
	costs := k.costs(a, b, both, both)
	for i, j := range matching.Least(costs) {
		if j != i {
			return false
		}
	}
	saved, variance := 0., 0. // without the credit
	for i, row := range costs {
		sd := k.deviation(a, both[i], b, both[i])
		saved += (sumOf(row)+nameCredit*sd)/float64(n) - (row[i] + nameCredit*sd)
		variance += sd * sd
	}
	return saved >= nameCredit*math.Sqrt(variance)
}

// costs returns the squared distance between each of the classes ofA of cluster a and each of the classes ofB of cluster b. Pairs with
// equal labels have a credit of nameCredit standard deviations of the distance.
func (k *kinds) costs(a, b int, ofA, ofB []int) [][]float64 {
	costs := make([][]float64, len(ofA))
	for i, c := range ofA {
		for _, e := range ofB {
			x := k.square(a, c, b, e)
			if c == e {
				x -= nameCredit * k.deviation(a, c, b, e)
			}
			costs[i] = append(costs[i], x)
		}
	}
	return costs
}
