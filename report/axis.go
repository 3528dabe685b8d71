package report

import (
	"math"
	"strconv"
	"strings"
)

// scale maps values min..max to pixels from..to, linearly or by logarithm.
type scale struct {
	min, max float64
	from, to float64
	log      bool
	ticks    []float64
	step     float64 // distance of linear ticks
}

// linearScale covers values lo..hi, widened to whole ticks where round is set,
// with about n ticks no closer than minStep.
func linearScale(lo, hi float64, n int, minStep float64, round bool) scale {
	if !(lo <= hi) { // also where there are no values
		lo, hi = 0, 1
	}
	if lo == hi {
		pad := math.Max(math.Abs(lo)*0.05, math.Max(minStep, 1e-3)/2)
		lo, hi = lo-pad, hi+pad
	}
	s := scale{min: lo, max: hi, step: niceStep((hi-lo)/float64(n), minStep)}
	if round {
		s.min = math.Floor(lo/s.step+1e-9) * s.step
		s.max = math.Ceil(hi/s.step-1e-9) * s.step
	}
	first := math.Ceil(s.min/s.step - 1e-9)
	for i := first; i*s.step <= s.max+1e-9*s.step && len(s.ticks) < 100; i++ {
		s.ticks = append(s.ticks, i*s.step)
	}
	return s
}

// niceStep is the smallest 1, 2 or 5 times a power of ten from raw and least.
func niceStep(raw, least float64) float64 {
	raw = math.Max(raw, least)
	if !(raw > 0) || math.IsInf(raw, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= raw*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logScale covers positive values lo..hi with ticks at powers of ten, and at
// 2 and 5 times those where there are few.
func logScale(lo, hi float64) scale {
	s := scale{min: lo / 1.15, max: hi * 1.15, log: true}
	a, b := math.Floor(math.Log10(s.min)), math.Ceil(math.Log10(s.max))
	factors := []float64{1, 2, 5}
	if b-a > 4 {
		factors = factors[:1]
	}
	stride := math.Max(1, math.Ceil((b-a)/8))
	for e := a; e <= b; e += stride {
		for _, m := range factors {
			if v := m * math.Pow(10, e); v >= s.min && v <= s.max {
				s.ticks = append(s.ticks, v)
			}
		}
	}
	return s
}

func (s scale) at(v float64) float64 {
	lo, hi := s.min, s.max
	if s.log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return s.from + (v-lo)/(hi-lo)*(s.to-s.from)
}

// clamp is v, or the nearer end of the scale.
func (s scale) clamp(v float64) float64 { return math.Min(math.Max(v, s.min), s.max) }

// label writes the tick v with as many decimals as its neighbours need.
func (s scale) label(v float64) string {
	if s.log {
		if v >= 1e-3 && v < 1e5 {
			return strconv.FormatFloat(v, 'g', 4, 64)
		}
		e := int(math.Floor(math.Log10(v) + 1e-9))
		power := "10" + superscript(e)
		if m := math.Round(v / math.Pow(10, float64(e))); m != 1 {
			return strconv.Itoa(int(m)) + "·" + power
		}
		return power
	}
	if math.Abs(v) < s.step/1e6 {
		v = 0
	}
	if s.step >= 1e6 || s.step < 1e-5 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, int(math.Ceil(-math.Log10(s.step)-1e-9))), 64)
}

func superscript(n int) string {
	return strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
		"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(strconv.Itoa(n))
}

// box is the area of a plot inside its axes.
type box struct{ left, top, right, bottom float64 }

// xAxis draws the ticks, labels and name of s under the box.
func (c *canvas) xAxis(b box, s scale, name string) {
	for _, t := range s.ticks {
		x := s.at(t)
		c.line(x, b.bottom, x, b.bottom+5, `stroke="`+frame+`"`)
		c.text(x, b.bottom+19, "middle", s.label(t), `fill="`+quiet+`"`)
	}
	c.line(b.left, b.bottom, b.right, b.bottom, `stroke="`+frame+`"`)
	c.text((b.left+b.right)/2, b.bottom+39, "middle", name, `fill="`+ink+`"`)
}

// yAxis draws grid lines, labels and the name of s left of the box.
func (c *canvas) yAxis(b box, s scale, name, colour string) {
	for _, t := range s.ticks {
		y := s.at(t)
		c.line(b.left, y, b.right, y, `stroke="`+grid+`"`)
		c.text(b.left-8, y+4, "end", s.label(t), `fill="`+quiet+`"`)
	}
	c.vertical(20, (b.top+b.bottom)/2, name, `fill="`+colour+`"`)
}

// rightAxis draws the ticks, labels and name of s right of the box.
func (c *canvas) rightAxis(b box, s scale, name, colour string) {
	for _, t := range s.ticks {
		y := s.at(t)
		c.line(b.right, y, b.right+5, y, `stroke="`+frame+`"`)
		c.text(b.right+9, y+4, "start", s.label(t), `fill="`+quiet+`"`)
	}
	c.line(b.right, b.top, b.right, b.bottom, `stroke="`+frame+`"`)
	c.vertical(c.width-12, (b.top+b.bottom)/2, name, `fill="`+colour+`"`)
}

// entry is one item of a legend.
type entry struct {
	name, colour string
	dash         string // see stroke
	dot          bool
}

// legend lays entries out in rows from y down and returns the height used.
func (c *canvas) legend(y float64, entries []entry) float64 {
	x, top := 24.0, y
	for i, e := range entries {
		w := 32 + textWidth(e.name, 12) + 16
		if i > 0 && x+w > c.width-8 {
			x, y = 24, y+18
		}
		if e.dot {
			c.circle(x+12, y+8, 4.5, `fill="`+e.colour+`"`)
		} else {
			c.line(x, y+8, x+24, y+8, stroke(e.colour, e.dash, 2.2))
		}
		c.text(x+31, y+12, "start", e.name, `fill="`+ink+`"`)
		x += w
	}
	if len(entries) == 0 {
		return 0
	}
	return y + 18 - top
}

// stroke is the look of a line; dash is SVG's, empty for none.
func stroke(colour, dash string, width float64) string {
	s := `fill="none" stroke="` + colour + `" stroke-width="` + num(width) + `" stroke-linejoin="round" stroke-linecap="round"`
	if dash != "" {
		s += ` stroke-dasharray="` + dash + `"`
	}
	return s
}
