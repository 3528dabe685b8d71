package report

import "math"

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

// ShareNote is what the title of a run says of the share of the test sets that
// its accuracies are over; nothing if they are over all of them.
func ShareNote(share float64) string {
	if text := shareText(share); text != "" {
		return ", accuracies on " + text + " of each test set"
	}
	return ""
}
