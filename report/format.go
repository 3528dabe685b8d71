package report

import (
	"fmt"
	"math"
	"strconv"
)

// String returns "mean ± std" in percent, or a dash if nothing was measured.
func (s Stat) String() string {
	if math.IsNaN(s.Mean) {
		return "–"
	}
	return fmt.Sprintf("%5.2f ± %5.2f", s.Mean, s.Std)
}

// duration formats a number of seconds in readable units.
func duration(s float64) string {
	switch {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return "–"
	case s < 0.0995:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 9.95:
		return fmt.Sprintf("%.2g s", s)
	case s < 119.5:
		return fmt.Sprintf("%.0f s", s)
	}
	t := int64(math.Round(s))
	if t < 3600 {
		return fmt.Sprintf("%d min %02d s", t/60, t%60)
	}
	return fmt.Sprintf("%d h %02d min", t/3600, t/60%60)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// shortest formats v with the fewest digits that identify it.
func shortest(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
