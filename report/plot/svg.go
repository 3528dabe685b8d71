package plot

import (
	"errors"
	"fmt"
	"html"
	"io"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// svgCanvas is gonum's SVG canvas with three changes. Its svg element has a title for screen readers, the size in CSS pixels,
// and fallback fonts. Texts contain no characters that XML forbids, and have the width with which they were measured in any
// font. Images stay sharp when they are enlarged. The output has no ids, so that several drawings can be in one HTML page.
type svgCanvas struct {
	*vgsvg.Canvas
	title         string
	width, height vg.Length
	texts         []vg.Length // the width of each text
}

func newSVG(title string, width, height vg.Length) *svgCanvas {
	return &svgCanvas{Canvas: vgsvg.New(width, height), title: title, width: width, height: height}
}

// FillString implements vg.Canvas.
func (c *svgCanvas) FillString(f font.Face, at vg.Point, s string) {
	s = legalXML(s)
	c.Canvas.FillString(f, at, s)
	c.texts = append(c.texts, f.Width(s))
}

// legalXML replaces the characters that are not allowed in an XML document.
func legalXML(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// svgHeadEnd is the end of the head that gonum writes.
const svgHeadEnd = `xmlns:xlink="http://www.w3.org/1999/xlink">` + "\n"

// svgChanges are replacements in the elements that gonum writes. None of the replaced strings can occur in a text, because
// quotes and angle brackets in texts are escaped.
var svgChanges = strings.NewReplacer(
	// The svg element already names the font.
	"\n\t"+`style="font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;`, ` style="`,
	"\n\t"+`style="font-family:Liberation Sans;font-variant:normal;font-weight:600;font-style:normal;`, ` style="font-weight:600;`,
	`<image `, `<image preserveAspectRatio="none" style="image-rendering:pixelated" `,
	`xlink:href="data:image/jpg;`, `href="data:image/png;`,
)

// WriteTo implements io.WriterTo.
func (c *svgCanvas) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if _, err := c.Canvas.WriteTo(&b); err != nil {
		return 0, err
	}
	_, elements, ok := strings.Cut(b.String(), svgHeadEnd)
	if !ok {
		return 0, errors.New("gonum's SVG has an unexpected beginning")
	}
	title := html.EscapeString(legalXML(strings.ReplaceAll(c.title, "\n", " – ")))
	size := fmt.Sprintf(`width="%.5g" height="%.5g" viewBox="0 0 %.5g %.5g"`, c.width, c.height, c.width, c.height)
	n, err := io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg" `+size+` role="img"`+
		` font-family="'Liberation Sans', Arial, Helvetica, sans-serif" text-rendering="geometricPrecision"`+
		` stroke-linejoin="round" stroke-linecap="round">`+"\n<title>"+title+"</title>\n"+svgChanges.Replace(c.fitTexts(elements)))
	return int64(n), err
}

// fitTexts adds the widths of the texts. The texts are in the order in which they were drawn.
func (c *svgCanvas) fitTexts(elements string) string {
	const tag = "<text "
	var b strings.Builder
	for _, width := range c.texts {
		before, after, ok := strings.Cut(elements, tag)
		if !ok {
			break
		}
		fmt.Fprintf(&b, `%s%stextLength="%.4g" lengthAdjust="spacingAndGlyphs" `, before, tag, width)
		elements = after
	}
	return b.String() + elements
}
