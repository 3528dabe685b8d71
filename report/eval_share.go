package report

import (
	"fmt"
	"math"
)

// testSets describes the test sets on which accuracies are computed.
func (s Summary) testSets() string {
	if text := shareText(s.EvalShare); text != "" {
		return text + " of each client's test set (--eval-share)"
	}
	return "the clients' test sets"
}

// shareText formats a share of the test sets as a percentage, or returns "" for all of them. 0 stands for all, as in the
// summaries of older versions.
func shareText(share float64) string {
	if share == 0 || share == 1 {
		return ""
	}
	return shortest(math.Round(1e8*share)/1e6) + "%"
}

// ShareNote returns a note for the title of a run about the share of the test sets on which its accuracies are computed. It
// is empty for the whole test sets.
func ShareNote(share float64) string {
	if text := shareText(share); text != "" {
		return ", accuracies on " + text + " of each test set"
	}
	return ""
}

// testSet describes the images on which the accuracy of each client is computed.
func (c *Comparison) testSet() string {
	if text := shareText(c.EvalShare); text != "" {
		return text + " of its own test set (--eval-share)"
	}
	return "its own test set"
}

// evaluatedOf says how many of the last rounds have scores. It is empty if all of them have scores in every run.
func (c *Comparison) evaluatedOf(tail int) string {
	fewest, most := tail, 0
	for _, v := range c.Variants {
		for _, cell := range v.Cells {
			if n := cell.Summary.Last10Rounds; n > 0 {
				fewest, most = min(fewest, n), max(most, n)
			}
		}
	}
	switch {
	case most == 0 || fewest == tail:
		return ""
	case fewest == most:
		return fmt.Sprintf(", of which %d evaluated", fewest)
	}
	return fmt.Sprintf(", of which %d to %d evaluated", fewest, most)
}
