package plot

import (
	"image"
	"image/color"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// gonum's PDF canvas does not give access to its document. The settings that make equal drawings equal files can therefore
// only be made for all documents.
func init() {
	date := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	fpdf.SetDefaultCreationDate(date)
	fpdf.SetDefaultModificationDate(date)
	fpdf.SetDefaultCatalogSort(true)
}

// pdfCanvas is gonum's PDF canvas with four corrections. gonum's canvas writes UTF-8 bytes in a font of code page 1252, takes
// the glyphs of all texts from the last font used, darkens translucent colours, and draws images upside down.
type pdfCanvas struct{ *vgpdf.Canvas }

func newPDF(width, height vg.Length) pdfCanvas { return pdfCanvas{vgpdf.New(width, height)} }

// straight is a colour whose red, green and blue are not premultiplied by its opacity, as fpdf expects.
type straight struct{ color.NRGBA }

// RGBA implements color.Color.
func (c straight) RGBA() (r, g, b, a uint32) {
	return uint32(c.R) * 0x101, uint32(c.G) * 0x101, uint32(c.B) * 0x101, uint32(c.A) * 0x101
}

// SetColor implements vg.Canvas.
func (c pdfCanvas) SetColor(colour color.Color) {
	if colour == nil {
		colour = color.Black
	}
	n, ok := color.NRGBAModel.Convert(colour).(color.NRGBA)
	if !ok { // the colour model returns no other type
		n = color.NRGBA{A: 0xff}
	}
	c.Canvas.SetColor(straight{n})
}

// DrawImage implements vg.Canvas.
func (c pdfCanvas) DrawImage(r vg.Rectangle, img image.Image) {
	c.Push()
	c.Translate(vg.Point{Y: r.Min.Y + r.Max.Y})
	c.Scale(1, -1)
	c.Canvas.DrawImage(r, img)
	c.Pop()
}

// FillString implements vg.Canvas. Characters of code page 1252 in the regular font are written as text. Other characters,
// such as Greek letters, and characters in the bold font are drawn as outlines.
func (c pdfCanvas) FillString(f font.Face, at vg.Point, s string) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var encoded []byte
	start := at.X // position of the encoded text
	flush := func() {
		if len(encoded) > 0 {
			c.Canvas.FillString(f, vg.Point{X: start, Y: at.Y}, string(encoded))
			encoded = nil
		}
	}
	x := at.X
	for i, r := range s {
		if b, ok := charmap.Windows1252.EncodeRune(r); ok && f.Font.Weight == xfont.WeightNormal {
			if len(encoded) == 0 {
				start = x
			}
			encoded = append(encoded, b)
		} else {
			flush()
			c.Fill(outline(f, vg.Point{X: x, Y: at.Y}, r))
		}
		x = at.X + f.Width(s[:i+len(string(r))])
	}
	flush()
}

// outline returns the shape of a character at a point on the baseline. It is empty if the font does not have the character.
func outline(f font.Face, at vg.Point, r rune) vg.Path {
	var buffer sfnt.Buffer
	index, err := f.Face.GlyphIndex(&buffer, r)
	if err != nil || index == 0 {
		return nil
	}
	units := fixed.Int26_6(f.Face.UnitsPerEm())
	segments, err := f.Face.LoadGlyph(&buffer, index, units, nil)
	if err != nil {
		return nil
	}
	point := func(p fixed.Point26_6) vg.Point {
		scale := float64(f.Font.Size) / float64(units)
		return vg.Point{X: at.X + vg.Length(float64(p.X)*scale), Y: at.Y - vg.Length(float64(p.Y)*scale)}
	}
	var path vg.Path
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			path.Move(point(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(point(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(point(s.Args[0]), point(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
		}
	}
	return path
}
