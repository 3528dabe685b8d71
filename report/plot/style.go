package plot

import (
	"fmt"
	"image/color"
	"math"
	"strings"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of everything except data.
var (
	white = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.NRGBA{0x1f, 0x29, 0x33, 0xff} // titles
	quiet = color.NRGBA{0x52, 0x60, 0x6d, 0xff} // labels
	frame = color.NRGBA{0x9a, 0xa5, 0xb1, 0xff} // axes
	grid  = color.NRGBA{0xe4, 0xe7, 0xeb, 0xff} // grid lines
)

// palette holds colours that most colour-blind readers can tell apart (after
// Okabe and Ito), darkened where lines on white need it.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xaa, 0x44, 0x99, 0xff},
	{0xb8, 0x86, 0x0b, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x88, 0x22, 0x55, 0xff}, {0x55, 0x55, 0x55, 0xff},
}

// colourOf returns the colour of series or cluster i.
func colourOf(i int) color.NRGBA { return palette[i%len(palette)] }

// faded returns c with an opacity of 0 to 1.
func faded(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(255*opacity + 0.5)
	return c
}

// dotted is the dash pattern of secondary lines.
var dotted = []vg.Length{2, 5}

func lineStyle(c color.NRGBA, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: dashes}
}

// Liberation Sans has the same widths as Arial and Helvetica, so that text that is measured with it fits if the viewer has
// any of the three fonts.
const typeface = font.Typeface("Liberation")

// fonts holds the two faces that are used. The bold one is registered as
// semi-bold because the PDF back end of gonum does not find its own bold fonts.
var fonts = sync.OnceValue(func() *font.Cache {
	var faces font.Collection
	for weight, ttf := range map[xfont.Weight][]byte{
		xfont.WeightNormal: liberationsansregular.TTF, xfont.WeightSemiBold: liberationsansbold.TTF,
	} {
		face, err := opentype.Parse(ttf)
		if err != nil { // Write returns it as an error
			panic(fmt.Errorf("the built-in font: %w", err))
		}
		faces = append(faces, font.Face{Font: font.Font{Typeface: typeface, Variant: "Sans", Weight: weight}, Face: face})
	}
	return font.NewCache(faces)
})

func textHandler() text.Handler { return text.Plain{Fonts: fonts()} }

// labelStyle returns the style of left-aligned text of the given size.
func labelStyle(size vg.Length, c color.NRGBA) text.Style {
	return text.Style{
		Color: c, Font: font.Font{Typeface: typeface, Variant: "Sans", Size: size},
		XAlign: text.XLeft, YAlign: text.YBottom, Handler: textHandler(),
	}
}

func titleStyle() text.Style { return bold(labelStyle(17, ink)) }

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightSemiBold
	return s
}

func centred(s text.Style) text.Style {
	s.XAlign = text.XCenter
	return s
}

func rightAligned(s text.Style) text.Style {
	s.XAlign = text.XRight
	return s
}

// writeText writes one line with its baseline at y.
func writeText(c draw.Canvas, style text.Style, x, y vg.Length, s string) {
	// A text.Style places the top of a line, not its baseline.
	y += style.FontExtents().Ascent - style.Font.Size
	c.FillText(style, vg.Point{X: x, Y: y}, s)
}

// writeTurned writes one line around (x, y), turned counterclockwise by an angle in radians.
func writeTurned(c draw.Canvas, style text.Style, x, y vg.Length, angle float64, s string) {
	c.Push()
	c.Translate(vg.Point{X: x, Y: y})
	c.Rotate(angle)
	writeText(c, style, 0, 0, s)
	c.Pop()
}

// wrap breaks s at spaces into lines that fit width. A single word that is
// longer stays whole.
func wrap(s string, width vg.Length, style text.Style) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && style.Width(line+" "+word) > width {
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

// shorten cuts s with an ellipsis so that it fits width.
func shorten(s string, width vg.Length, style text.Style) string {
	if style.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(runes[:n]), " ,") + "…"; style.Width(short) <= width {
			return short
		}
	}
	return "…"
}

// widest returns the width of the widest text, but at least least.
func widest(texts []string, style text.Style, least vg.Length) vg.Length {
	for _, s := range texts {
		least = max(least, style.Width(s))
	}
	return least
}

func fillRectangle(c draw.Canvas, r vg.Rectangle, colour color.NRGBA) {
	c.SetColor(colour)
	c.Fill(r.Path())
}

func strokeRectangle(c draw.Canvas, r vg.Rectangle, style draw.LineStyle) {
	c.SetLineStyle(style)
	c.Stroke(r.Path())
}

// rectangle returns the rectangle with the given lower left corner and size.
func rectangle(x, y, width, height vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + width, Y: y + height}}
}

// addCircle appends a circle to a path.
func addCircle(p *vg.Path, x, y, radius vg.Length) {
	p.Move(vg.Point{X: x + radius, Y: y})
	p.Arc(vg.Point{X: x, Y: y}, radius, 0, 2*math.Pi)
	p.Close()
}
