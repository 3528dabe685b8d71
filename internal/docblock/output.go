package docblock

import (
	"regexp"
	"strings"
)

// numbers matches a number as programs print it: with a sign, thousands, decimals, an exponent.
var numbers = regexp.MustCompile(`[-+]?[0-9]+([.,][0-9]+)*(e[-+]?[0-9]+)?`)

// Missing compares what commands printed with the output that a page shows. Numbers count as equal, because they depend on the
// processor and its load, and so do blanks and breaks of lines. "..." in the page stands for text that is left out. It returns the
// first piece of the page that was not printed after the pieces before it, "" if there is none.
func Missing(printed string, page []string) string {
	left := plain(printed)
	for piece := range strings.SplitSeq(strings.Join(page, "\n"), "...") {
		_, after, found := strings.Cut(left, plain(piece))
		if !found {
			return strings.TrimSpace(piece)
		}
		left = after
	}
	return ""
}

// plain returns text with one sign for every number and one blank between words.
func plain(text string) string {
	return strings.Join(strings.Fields(numbers.ReplaceAllString(text, "#")), " ")
}
