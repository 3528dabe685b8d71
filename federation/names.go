package federation

import (
	"fmt"
	"slices"
	"strings"
)

// OneOf returns an error, which names the nearest, unless value is one of the known.
func OneOf(what, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	hint := ""
	if near := Nearest(value, known); near != "" {
		hint = fmt.Sprintf(" did you mean %s?", near)
	}
	return fmt.Errorf("%s %q is unknown:%s (known: %s)", what, value, hint, strings.Join(known, ", "))
}

// Nearest returns the known name that is fewest edits away, or "" if none is near: at most half the name changed.
func Nearest(name string, known []string) string {
	best, least := "", len(name)/2+2
	if len(name) > 64 {
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
