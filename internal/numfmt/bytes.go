package numfmt

import (
	"fmt"
	"math"
	"strconv"
)

// Bytes returns a number of bytes as text with three digits, in a suitable decimal unit: "999 B", "1.00 kB", "12.3 MB".
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for i < len(units)-1 && math.Abs(v) >= 999.5 {
		v /= 1000
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%s %s", strconv.FormatFloat(v, 'f', max(0, 2-int(math.Log10(math.Max(v, 1)))), 64), units[i])
}
