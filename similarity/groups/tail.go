package groups

import (
	"math"
	"slices"
)

// tailPrior is the weight of the theoretical scale of a tail, as a number of scores.
const tailPrior = 5

// tail is the lower tail of the distribution of the members' scores in their own clusters. Large scores mean a good fit. Real
// clients follow no distribution exactly: if the classes are assigned in order, a few clients reach their quota of images before
// the last classes, and the means of few images have longer tails than a Gaussian. So a newcomer is rejected only if its score is
// also unusual among the scores of the members.
type tail struct {
	clients, lowest float64 // number of all scores, and of the scores in the tail
	from            float64 // upper end of the tail
	scale           float64 // scale of the tail; 0 if there are fewer than two scores, which are not enough
	freedom         float64 // number of scores from which the scale is estimated
}

// newTail returns the tail of n scores: the lowest sqrt(n) of them, with an exponential distribution. The scale is estimated from
// these scores, and the theoretical scale counts as five more scores.
func newTail(scores []float64, theoretical float64) tail {
	scores = slices.Clone(scores)
	slices.Sort(scores)
	t := tail{clients: float64(len(scores))}
	if len(scores) < 2 {
		return t
	}
	k := min(int(math.Ceil(math.Sqrt(t.clients))), len(scores)-1)
	t.from, t.lowest, t.freedom = scores[k], float64(k), float64(k)+tailPrior
	sum := tailPrior * theoretical
	for _, r := range scores[:k] {
		sum += t.from - r
	}
	t.scale = sum / t.freedom
	return t
}

// pValue returns the p-value of "this is the score of a member",
//
//	(1 + lowest) / (1 + clients) (1 + (from - score) / (scale freedom))^-freedom
//
// which is the exponential tail with its scale integrated out. It is 1 outside the tail and 0 if there is no tail.
func (t tail) pValue(score float64) float64 {
	switch {
	case t.scale == 0:
		return 0
	case score >= t.from:
		return 1
	}
	return (1 + t.lowest) / (1 + t.clients) * math.Pow(1+(t.from-score)/(t.scale*t.freedom), -t.freedom)
}
