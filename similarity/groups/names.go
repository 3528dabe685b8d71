package groups

import (
	"math"
	"slices"

	"feddag/internal/matching"
)

// SameNames returns a function that reports whether two clusters give the same labels to the same kinds of images, although the
// images may look different, as under feature skew. A difference that all classes have in common, and a difference in contrast,
// do not matter. The function compares the classes that both clusters hold. It needs evidence for the names: if the images of the
// clusters are too few or too different to say which class is which, it reports false.
func (r *Roster) SameNames() func(a, b int) bool {
	return r.kinds().sameNames
}

// sameNames reports whether clusters a and b name the classes that both hold alike, see [kinds.matchNames].
func (k *kinds) sameNames(a, b int) bool {
	pairs := k.matchNames(a, b)
	return len(pairs) > 0 && !slices.ContainsFunc(pairs, ClassPair.renamed)
}

// matchNames returns the pairs of classes of clusters a and b that are of the same kind, among the classes that both hold. It returns
// nil if the images do not say which class is which. The one-to-one matchings of these classes are compared by the sum of the squared
// distances between matched classes. This sum changes for all matchings in the same way if all classes are shifted together or
// scaled. In the choice of the matching, equal labels have a credit of nameCredit standard deviations. Noise alone would prefer some
// matching. Therefore the chosen one, without the credit, must cost less than the mean over all matchings, by nameCredit standard
// deviations or more.
func (k *kinds) matchNames(a, b int) []ClassPair {
	both, _, _ := k.held(a, b)
	n := len(both)
	if n == 0 {
		return nil
	}
	costs := k.costs(a, b, both, both)
	var pairs []ClassPair
	saved, variance := 0., 0.
	for i, j := range matching.Least(costs) {
		sd, credit := k.deviation(a, both[i], b, both[j]), nameCredit*k.deviation(a, both[i], b, both[i])
		cost := costs[i][j]
		if i == j {
			cost += credit
		}
		saved += (sumOf(costs[i])+credit)/float64(n) - cost
		variance += sd * sd
		pairs = append(pairs, ClassPair{both[i], both[j], math.Sqrt(max(cost, 0))})
	}
	if n > 1 && saved < nameCredit*math.Sqrt(variance) {
		return nil
	}
	return pairs
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
