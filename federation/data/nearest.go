package data

import (
	"fmt"
	"strings"
)

// unknown is the error for a name that is not among the known ones; it suggests the nearest.
func unknown(what, name string, known []string) error {
	best, least := "", -1
	low := strings.ToLower(name)
	// A name of any length may come from a command line; beyond this it is not a misspelling.
	if len(low) > 64 {
		low, name = low[:64], name[:64]+"..."
	}
	for _, k := range known {
		if d := distance(low, k); least < 0 || d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return fmt.Errorf("unknown %s %q: none are known", what, name)
	}
	return fmt.Errorf("unknown %s %q: did you mean %s? (known: %s)", what, name, best, strings.Join(known, ", "))
}

// distance is the Levenshtein distance of two names, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
