package groups

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/spelling"
)

// explainedClasses is the largest number of classes that an explanation names.
const explainedClasses = 5

// Explanation says what separates two clusters.
type Explanation struct {
	A int `json:"a"` // A and B are the clusters
	B int `json:"b"`
	// View is Labels if the label codes of the search separated them, and "" if no test of the images distinguishes them.
	// Otherwise it is Concept if their classes fit under other labels, see Renamed and Styles, Common if at least half of the
	// squared distance between their class means is common to all classes, and else ClassWise. The smallest p-value of the three
	// tests does not decide, because with many clients all of them are tiny.
	View View `json:"view"`
	// P is the p-value of "both draw every class from one distribution", corrected for six tests in three views. For labels it is
	// exp(-Nats), which bounds the probability of such a gain by chance.
	P    float64 `json:"p"`
	Nats float64 `json:"nats,omitempty"` // labels: the length of one common code minus the length of two codes
	// Classes are the classes that separate the clusters most, at most five, in descending order of their shares.
	Classes []ClassPart `json:"classes,omitempty"`
	Renamed []ClassPair `json:"renamed,omitempty"` // classes of the same kind with different labels
	Styles  bool        `json:"styles,omitempty"`  // the view is Concept, and the images of a renamed kind look different, too
	OnlyA   []int       `json:"only_a,omitempty"`  // OnlyA and OnlyB are the classes that only one of the clusters holds
	OnlyB   []int       `json:"only_b,omitempty"`
	// Distance is the distance between the class means in standard deviations of one image, over the classes that both hold. In
	// the view Common it is the distance that the classes have in common, otherwise the root mean square. The noise of the means
	// is subtracted.
	Distance float64 `json:"distance"`
	Sentence string  `json:"sentence"`
}

// ClassPart is the contribution of a class to the difference between two clusters.
type ClassPart struct {
	Class int     `json:"class"`
	Share float64 `json:"share"` // share of the sum over the classes, 0..1
	// Distance is the distance between the class's means in standard deviations of one image. For labels it is the share of the
	// class among the images of the second cluster minus its share in the first.
	Distance float64 `json:"distance"`
}

// Explanations returns what separates each pair of clusters that have members, in numbers and in a sentence, ordered by A and
// then B. The sentences use the given names of the classes, if any. The cost grows with the square of the number of clusters.
func (r *Roster) Explanations(names []string) []Explanation {
	k := r.kinds()
	var all []Explanation
	r.pairs(func(a, b int) {
		x := r.explain(k, a, b)
		x.Sentence = x.sentence(k, classNames(names))
		all = append(all, x)
	})
	return all
}

func (r *Roster) explain(k *kinds, a, b int) Explanation {
	x := Explanation{A: a, B: b, P: 1}
	var both []int
	if both, x.OnlyA, x.OnlyB = k.held(a, b); len(both) > 0 {
		names := make([]ClassPair, len(both))
		for i, c := range both {
			names[i] = ClassPair{A: c, B: c}
		}
		p := r.pairPValues(a, b, names)
		x.P = slices.Min(p[:])
	}
	if x.P <= r.options.Alpha {
		pairs := k.pairs(a, b)
		if named := k.matchNames(a, b); len(named) > len(pairs) { // the images of some kinds are too far apart for k.pairs
			pairs = named
		}
		for _, p := range pairs {
			if p.renamed() {
				x.Renamed = append(x.Renamed, p)
			}
		}
		switch {
		case len(x.Renamed) > 0:
			p := r.pairPValues(a, b, pairs)
			x.View, x.Styles = Concept, slices.Min(p[:]) <= r.options.Alpha
		case k.commonShare(a, b) >= 0.5:
			x.View = Common
		default:
			x.View = ClassWise
		}
	}
	x.Distance = k.distance(a, b, x.View == Common)
	if r.labelOf[a] != r.labelOf[b] {
		x.View, x.Nats = Labels, r.labelGain(a, b)
		x.P = math.Exp(-x.Nats)
		x.Classes = labelParts(k, a, b)
	} else {
		x.Classes = k.parts(a, b)
	}
	return x
}

// labelGain returns the number of nats by which the label code of two clusters is shorter than the code of their union, at least
// 0.
func (r *Roster) labelGain(a, b int) float64 {
	f, n := r.finder(), 0
	count := func(members []int) (rows [][]float64) {
		for _, i := range members {
			if sumOf(f.all.weights(i)) > 0 {
				rows = append(rows, f.all.weights(i))
			}
		}
		return rows
	}
	for _, s := range r.Sketches {
		n += min(1, slices.Max(s.Counts[0])+slices.Max(s.Counts[1]))
	}
	x, y := count(r.Clusters[a]), count(r.Clusters[b])
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	one, two := countLabels(x), countLabels(y)
	return max(0, one.join(two).codeLength(n)-one.codeLength(n)-two.codeLength(n))
}

// labelParts returns the classes whose shares differ most.
func labelParts(k *kinds, a, b int) []ClassPart {
	var parts []ClassPart
	for c := range k.whole.classes {
		gap := k.whole.weight(b, c)/max(sumOf(k.whole.weights(b)), 1) - k.whole.weight(a, c)/max(sumOf(k.whole.weights(a)), 1)
		parts = append(parts, ClassPart{c, math.Abs(gap), gap})
	}
	return largestParts(parts)
}

// parts returns the classes whose means differ most, by h_c D_c^2 with h_c = w_ac w_bc / (w_ac + w_bc).
func (k *kinds) parts(a, b int) []ClassPart {
	var parts []ClassPart
	for c := range k.whole.classes {
		if v, w := k.whole.weight(a, c), k.whole.weight(b, c); v > 0 && w > 0 {
			x := max(k.square(a, c, b, c), 0)
			parts = append(parts, ClassPart{c, v * w / (v + w) * x, math.Sqrt(x)})
		}
	}
	return largestParts(parts)
}

// largestParts returns the largest parts, as shares of the sum, in descending order.
func largestParts(parts []ClassPart) []ClassPart {
	total := 0.
	for _, p := range parts {
		total += p.Share
	}
	parts = slices.DeleteFunc(parts, func(p ClassPart) bool { return p.Share == 0 })
	slices.SortStableFunc(parts, func(x, y ClassPart) int { return cmp.Compare(y.Share, x.Share) })
	parts = parts[:min(len(parts), explainedClasses)]
	for i := range parts {
		parts[i].Share /= total
	}
	return parts
}

// distance returns the distance between the class means of two clusters, see [Explanation].
func (k *kinds) distance(a, b int, common bool) float64 {
	if !common {
		sum, total := 0., 0.
		for c := range k.whole.classes {
			if v, w := k.whole.weight(a, c), k.whole.weight(b, c); v > 0 && w > 0 {
				h := v * w / (v + w)
				sum, total = sum+h*k.square(a, c, b, c), total+h
			}
		}
		return math.Sqrt(max(sum, 0) / max(total, 1e-30))
	}
	var shift [Halves][]float64
	for h, t := range k.halves {
		shift[h] = make([]float64, t.d)
		total := 0.
		for c := range t.classes {
			if v, w := t.weight(a, c), t.weight(b, c); v > 0 && w > 0 {
				axpy(v*w/(v+w), t.mean(b, c), shift[h])
				axpy(-v*w/(v+w), t.mean(a, c), shift[h])
				total += v * w / (v + w)
			}
		}
		scale(1/max(total, 1e-30), shift[h])
	}
	return math.Sqrt(max(dot(shift[0], shift[1]), 0))
}

// commonShare returns the part of the squared distance between the class means of two clusters that all classes have in common,
// with the weights h_c: |sum_c h_c delta_c|^2 / (sum_c h_c  sum_c h_c |delta_c|^2).
func (k *kinds) commonShare(a, b int) float64 {
	common, all := k.distance(a, b, true), k.distance(a, b, false)
	if all == 0 {
		return 0
	}
	return common * common / (all * all)
}

// classNames are the names of the classes, or nil if they have no names.
type classNames []string

// of returns the number of a class, followed by its name if it has a name that is not a number.
func (n classNames) of(class int) string {
	text := strconv.Itoa(class)
	if class >= len(n) || n[class] == text {
		return text
	}
	return text + " (" + spelling.Plain(n[class]) + ")"
}

// list returns the classes, separated by commas.
func (n classNames) list(classes []int) string {
	var texts []string
	for _, c := range classes {
		texts = append(texts, n.of(c))
	}
	return spelling.Few(texts, sentenceItems)
}

// sentenceItems is the largest number of classes, or of pairs of classes, that a sentence names. The fields of an [Explanation]
// may have more.
const sentenceItems = 3

// sentence returns the explanation as a sentence.
func (x Explanation) sentence(k *kinds, names classNames) string {
	who := fmt.Sprintf("clusters %d and %d", x.A, x.B)
	switch x.View {
	case Labels:
		if only := x.only(names); only != "" {
			return fmt.Sprintf("%s hold other classes: %s (%.0f nats)", who, only, x.Nats)
		}
		if len(x.Classes) > 0 {
			c := x.Classes[0]
			share := k.whole.weight(x.A, c.Class) / max(sumOf(k.whole.weights(x.A)), 1)
			ofA, ofB := fmt.Sprintf("%.0f%%", 100*share), fmt.Sprintf("%.0f%%", 100*(share+c.Distance))
			if ofA != ofB {
				return fmt.Sprintf("%s hold other shares of the classes, most of all of class %s: %s and %s (%.0f nats)",
					who, names.of(c.Class), ofA, ofB, x.Nats)
			}
		}
		return fmt.Sprintf("%s hold the same shares of the classes, but the shares differ more between the clients of one of them (%.0f nats)", who, x.Nats)
	case Concept:
		var pairs []string
		for i, p := range x.Renamed {
			text := fmt.Sprintf("%s is %s", names.of(p.A), names.of(p.B))
			if i == 0 {
				text = fmt.Sprintf("class %s of %d is class %s of %d", names.of(p.A), x.A, names.of(p.B), x.B)
			}
			pairs = append(pairs, text)
		}
		what := "name the same images differently"
		if x.Styles {
			what = "name the classes differently, and their images look different, too"
		}
		return fmt.Sprintf("%s %s: %s (p = %.2g)", who, what, spelling.Few(pairs, sentenceItems), x.P)
	case Common:
		return fmt.Sprintf("the same classes look different in %s, all in the same way: they are %.2g standard deviations of an image apart (p = %.2g)",
			who, x.Distance, x.P)
	case ClassWise:
		var most []int
		for _, c := range x.Classes {
			most = append(most, c.Class)
		}
		return fmt.Sprintf("the same classes look different in %s, each in its own way, most of all %s: they are %.2g standard deviations of an image apart (p = %.2g)",
			who, names.list(most), x.Distance, x.P)
	}
	return fmt.Sprintf("a test does not tell %s apart (p = %.2g)", who, x.P)
}

// only lists the classes that only one of the clusters holds.
func (x Explanation) only(names classNames) string {
	var parts []string
	for _, only := range []struct {
		cluster int
		classes []int
	}{{x.A, x.OnlyA}, {x.B, x.OnlyB}} {
		if len(only.classes) > 0 {
			parts = append(parts, fmt.Sprintf("only %d holds %s", only.cluster, names.list(only.classes)))
		}
	}
	return strings.Join(parts, "; ")
}
