package docblock

import (
	"regexp"
	"strings"
)

// numbers matches a number as programs print it: with a sign, thousands, decimals, an exponent.
var numbers = regexp.MustCompile(`[-+]?[0-9]+([.,][0-9]+)*(e[-+]?[0-9]+)?`)

// Missing compares the output of commands with the output that a page shows. All numbers count as equal, because they depend
// on the processor and its load. Differences in blanks and line breaks are ignored. "..." on the page stands for omitted
// text. Missing returns the first piece of the page that was not printed after the pieces before it, or "" if there is none.
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

// plain returns text with every number replaced by the same character and one blank between words.
func plain(text string) string {
	return strings.Join(strings.Fields(numbers.ReplaceAllString(text, "#")), " ")
}
