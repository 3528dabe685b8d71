package groups

import (
	"math"
	"slices"
)

// tailPrior is the number of scores that the theoretical scale of a tail counts for.
const tailPrior = 5

// tail says how small the scores of members in their own clusters are, for scores of which large ones mean a good fit. Real clients
// follow no distribution exactly: where the classes are dealt out in order, a few clients have a quota of images before the last classes
// come, and the means of few images have longer tails than Gaussian ones. So a newcomer is rejected only if its score is unusual among
// those of the members too.
type tail struct {
	clients, lowest float64 // all scores, and those in the tail
	from            float64 // where the tail begins, downwards
	scale           float64 // scale of the tail; 0 if there are fewer than two scores, which say nothing
	freedom         float64 // scores by which the scale is known
}

// newTail returns the tail of some scores: the lowest sqrt(n) of n, with an exponential distribution. Its scale is theirs, with the
// theoretical one counting as five more of them.
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
// the exponential tail with its scale integrated out. It is 1 outside of the tail and 0 if there is no tail.
func (t tail) pValue(score float64) float64 {
	switch {
	case t.scale == 0:
		return 0
	case score >= t.from:
		return 1
	}
	return (1 + t.lowest) / (1 + t.clients) * math.Pow(1+(t.from-score)/(t.scale*t.freedom), -t.freedom)
}
