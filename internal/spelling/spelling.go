// Package spelling says what is wrong with a name that is not known: it suggests the nearest.
package spelling

import (
	"fmt"
	"slices"
	"strings"
)

// longest is the length in bytes beyond which a name is no misspelling.
const longest = 64

// OneOf returns Unknown's error unless value is one of the known.
func OneOf(what, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return Unknown(what, value, known)
}

// Unknown returns the error for a name that is not among the known, which names the nearest.
func Unknown(what, name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("%s %q is unknown: there are none", what, cut(name))
	}
	hint := ""
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" did you mean %s?", near)
	}
	return fmt.Errorf("%s %q is unknown:%s (known: %s)", what, cut(name), hint, strings.Join(known, ", "))
}

func cut(name string) string {
	if len(name) > longest {
		return name[:longest] + "..."
	}
	return name
}

// Nearest returns the known name that is fewest edits away, or "" if none is near: at most half the name changed.
func Nearest(name string, known []string) string {
	best, least := "", len(name)/2+2
	if len(name) > longest {
		return ""
	}
	for _, k := range known {
		if d := edits(strings.ToLower(name), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// edits counts the insertions, deletions, changes and swaps of neighbours between two names, in bytes (optimal string
// alignment).
func edits(a, b string) int {
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := old[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, old[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}
