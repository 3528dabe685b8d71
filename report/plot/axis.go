package plot

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scale is the range of an axis and its ticks. gonum's own ticks cannot be limited in number or restricted to whole numbers.
type scale struct {
	min, max float64
	ticks    []float64
	step     float64 // distance between linear ticks
}

// linearScale returns a scale for the values from low to high with about n ticks whose distance is at least minStep. If round
// is set, the range is widened to whole ticks.
func linearScale(low, high float64, n int, minStep float64, round bool) scale {
	if !(low <= high) { // also true if there are no values
		low, high = 0, 1
	}
	if low == high {
		pad := math.Max(math.Abs(low)*0.05, math.Max(minStep, 1e-3)/2)
		low, high = low-pad, high+pad
	}
	s := scale{min: low, max: high, step: NiceStep((high-low)/float64(n), minStep)}
	if round {
		s.min = math.Floor(low/s.step+1e-9) * s.step
		s.max = math.Ceil(high/s.step-1e-9) * s.step
	}
	first := math.Ceil(s.min/s.step - 1e-9)
	for i := first; i*s.step <= s.max+1e-9*s.step && len(s.ticks) < 100; i++ {
		s.ticks = append(s.ticks, i*s.step)
	}
	return s
}

// NiceStep returns the smallest of 1, 2 and 5 times a power of ten that is at
// least raw and least.
func NiceStep(raw, least float64) float64 {
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

// bound limits the range and the ticks to low..high.
func (s scale) bound(low, high float64) scale {
	s.min, s.max = math.Max(s.min, low), math.Min(s.max, high)
	if !(s.min < s.max) { // all values are outside
		s.min, s.max = low, high
	}
	s.ticks = slices.DeleteFunc(s.ticks, func(t float64) bool { return t < s.min || t > s.max })
	return s
}

// widen makes room for the marks of the first and the last value.
func (s scale) widen() scale {
	pad := 0.012 * (s.max - s.min)
	s.min, s.max = s.min-pad, s.max+pad
	return s
}

// clamp returns v, or the nearer end of the range if v is outside.
func (s scale) clamp(v float64) float64 { return math.Min(math.Max(v, s.min), s.max) }

// apply sets the range and ticks of an axis.
func (s scale) apply(a *gonum.Axis, name string) {
	a.Label.Text = name
	a.Min, a.Max = s.min, s.max
	ticks := make(gonum.ConstantTicks, len(s.ticks))
	for i, t := range s.ticks {
		ticks[i] = gonum.Tick{Value: t, Label: s.label(t)}
	}
	a.Tick.Marker = ticks
}

// label formats the tick v with the number of decimals that distinguishes neighbouring ticks.
func (s scale) label(v float64) string {
	if math.Abs(v) < s.step/1e6 {
		v = 0
	}
	if s.step >= 1e6 || s.step < 1e-5 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, int(math.Ceil(-math.Log10(s.step)-1e-9))), 64)
}

// rightAxis draws an axis of p at the right edge of the data.
func rightAxis(data draw.Canvas, a gonum.Axis, colour color.NRGBA) {
	right := data.Max.X
	style := labelStyle(13, quiet)
	wide := vg.Length(0)
	for _, t := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		y := data.Y(a.Norm(t.Value))
		data.StrokeLine2(lineStyle(frame, 1), right, y, right+5, y)
		writeText(data, style, right+9, y-4, t.Label)
		wide = max(wide, style.Width(t.Label))
	}
	data.StrokeLine2(lineStyle(frame, 1), right, data.Min.Y, right, data.Max.Y)
	writeTurned(data, centred(labelStyle(13, colour)), right+9+wide+18, data.Center().Y, math.Pi/2, a.Label.Text)
}

func threeDigits(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
