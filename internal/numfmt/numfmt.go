// Package numfmt formats numbers in readable form.
package numfmt

import (
	"fmt"
	"math"
	"strconv"
)

// Missing is shown in place of a missing number.
const Missing = "–"

// Thousands returns v as a whole number with separators: "12,345".
func Thousands(v float64) string {
	if math.IsNaN(v) || math.Abs(v) >= 1<<62 {
		return Missing
	}
	s := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Decimal returns v with the given number of decimals.
func Decimal(v float64, places int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Missing
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// Count returns n things as text: "1 client", "7 clients".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
