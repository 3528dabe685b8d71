package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The look of every plot.
const (
	ink   = "#1f2933" // titles
	quiet = "#52606d" // labels
	frame = "#9aa5b1" // axes
	grid  = "#e4e7eb" // grid lines
)

// palette is told apart by most colour-blind readers (after Okabe and Ito),
// darkened where lines on white need it.
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#aa4499", "#b8860b", "#56b4e9", "#882255", "#555555"}

// canvas collects the elements of one SVG drawing. It uses no ids, so that
// several drawings can stand in one HTML page.
type canvas struct {
	b             strings.Builder
	width, height float64
}

func newCanvas(width, height float64, title string) *canvas {
	c := &canvas{width: width, height: height}
	c.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" font-family="system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="12">`+"\n",
		num(width), num(height), num(width), num(height))
	c.f("<title>%s</title>\n", escape(strings.ReplaceAll(title, "\n", " – ")))
	c.rect(0, 0, width, height, `fill="#ffffff"`)
	return c
}

func (c *canvas) f(format string, args ...any) { fmt.Fprintf(&c.b, format, args...) }

func (c *canvas) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, c.b.String()+"</svg>\n")
	return err
}

func (c *canvas) rect(x, y, w, h float64, style string) {
	c.f(`<rect x="%s" y="%s" width="%s" height="%s" %s/>`+"\n", num(x), num(y), num(w), num(h), style)
}

func (c *canvas) line(x1, y1, x2, y2 float64, style string) {
	c.f(`<line x1="%s" y1="%s" x2="%s" y2="%s" %s/>`+"\n", num(x1), num(y1), num(x2), num(y2), style)
}

func (c *canvas) circle(x, y, r float64, style string) {
	c.f(`<circle cx="%s" cy="%s" r="%s" %s/>`+"\n", num(x), num(y), num(r), style)
}

// text writes s with its baseline at y; anchor is start, middle or end.
func (c *canvas) text(x, y float64, anchor, s, style string) {
	c.f(`<text x="%s" y="%s" text-anchor="%s" %s>%s</text>`+"\n", num(x), num(y), anchor, style, escape(s))
}

// vertical writes s upwards, centred on (x, y).
func (c *canvas) vertical(x, y float64, s, style string) {
	c.f(`<text transform="translate(%s %s) rotate(-90)" text-anchor="middle" %s>%s</text>`+"\n", num(x), num(y), style, escape(s))
}

// path draws points as one line.
func (c *canvas) path(points []point, style string) {
	var d strings.Builder
	for i, p := range points {
		d.WriteByte("ML"[min(i, 1)])
		d.WriteString(num(p.x) + " " + num(p.y))
	}
	c.f(`<path d="%s" %s/>`+"\n", d.String(), style)
}

// title writes the first line of s large and the others, wrapped, small. It
// returns the height used.
func (c *canvas) title(s string) float64 {
	head, rest, _ := strings.Cut(s, "\n")
	y := 26.0
	for _, l := range wrap(head, c.width-48, 16) {
		c.text(24, y, "start", l, `font-size="16" font-weight="600" fill="`+ink+`"`)
		y += 20
	}
	if rest != "" {
		for l := range strings.SplitSeq(rest, "\n") {
			for _, l := range wrap(l, c.width-48, 12) {
				c.text(24, y, "start", l, `fill="`+quiet+`"`)
				y += 16
			}
		}
	}
	return y - 4
}

type point struct{ x, y float64 }

// num writes a coordinate with at most two decimals.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	s := strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// textWidth estimates the width of s in a sans-serif face. SVG has no way to
// ask without a renderer; the estimate is on the wide side.
func textWidth(s string, size float64) float64 {
	return 0.56 * size * float64(utf8.RuneCountInString(s))
}

// wrap breaks s at spaces into lines that fit width.
func wrap(s string, width, size float64) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && textWidth(line+" "+word, size) > width {
			lines = append(lines, line)
			line = word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
