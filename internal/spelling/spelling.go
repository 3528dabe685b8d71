// Package spelling formats names in messages: it makes the error for an unknown name, suggests the nearest known name, and
// shortens names and lists of names.
package spelling

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// longest is the length in bytes above which a name is not treated as a misspelling.
const longest = 64

// OneOf returns nil if value is one of the known names, and the error of Unknown otherwise.
func OneOf(what, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return Unknown(what, value, known)
}

// Unknown returns the error for a name that is not among the known names. The error names the nearest one.
func Unknown(what, name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("%s %q is unknown: there are none", what, cut(name))
	}
	hint := ""
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf(": did you mean %s?", near)
	}
	return fmt.Errorf("%s %q is unknown%s (known: %s)", what, cut(name), hint, strings.Join(known, ", "))
}

func cut(name string) string {
	if len(name) > longest {
		return name[:longest] + "..."
	}
	return name
}

// Nearest returns the known name that is the fewest edits away, or "" if every known name would change more than half of
// the name.
func Nearest(name string, known []string) string {
	best, least := "", len(name)/2+1
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

// edits returns the number of insertions, deletions, changes and swaps of neighbouring bytes between two names
// (optimal string alignment).
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

// maxPlain is the number of bytes of a name that Plain keeps.
const maxPlain = 80

// Plain returns a name for a message: unchanged if it fits on a line, otherwise shortened and in quotes.
func Plain(name string) string {
	if len(name) <= maxPlain && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return name
	}
	return fmt.Sprintf("%.*q", maxPlain, name)
}

// Few returns at most the given number of names, separated by commas, followed by the number of names left out.
func Few(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
