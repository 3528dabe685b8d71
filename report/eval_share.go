package report

import (
	"fmt"
	"math"
)

// testSets says what the accuracies are over.
func (s Summary) testSets() string {
	if text := shareText(s.EvalShare); text != "" {
		return text + " of each client's test set (--eval-share)"
	}
	return "the clients' test sets"
}

// shareText writes a share of the test sets as a percentage, or nothing if it is
// all of them. 0 stands for all, as in the summaries of older programs.
func shareText(share float64) string {
	if share == 0 || share == 1 {
		return ""
	}
	return shortest(math.Round(1e8*share)/1e6) + "%"
}

// ShareNote is what the title of a run says about the share of the test sets that
// its accuracies are over; nothing if they are over all of them.
func ShareNote(share float64) string {
	if text := shareText(share); text != "" {
		return ", accuracies on " + text + " of each test set"
	}
	return ""
}

// testSet says what each client's accuracy is over.
func (c *Comparison) testSet() string {
	if text := shareText(c.EvalShare); text != "" {
		return text + " of its own test set (--eval-share)"
	}
	return "its own test set"
}

// evaluatedOf says how many of the last rounds have scores, unless all of them have in every run.
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
