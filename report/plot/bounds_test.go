package plot

import (
	"image"
	"image/color"
	"math"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// checkTexts checks that every text of a figure, turned or not, is inside the figure.
func checkTexts(t *testing.T, f *Figure) {
	t.Helper()
	c := &textBounds{stack: []affine{{1, 0, 0, 0, 1, 0}}}
	f.body(draw.NewCanvas(c, f.width, f.height))
	const slack = 0.5
	for _, x := range c.texts {
		r := x.bounds
		if r.Min.X < -slack || r.Min.Y < -slack || r.Max.X > f.width+slack || r.Max.Y > f.height+slack {
			t.Errorf("%q: the text %q spans (%.0f, %.0f) to (%.0f, %.0f) of %.0f x %.0f", f.title, x.text, r.Min.X, r.Min.Y, r.Max.X, r.Max.Y, f.width, f.height)
		}
	}
}

// affine maps (x, y) to (a x + b y + c, d x + e y + f).
type affine [6]float64

func (m affine) apply(x, y vg.Length) vg.Point {
	return vg.Point{X: vg.Length(m[0])*x + vg.Length(m[1])*y + vg.Length(m[2]), Y: vg.Length(m[3])*x + vg.Length(m[4])*y + vg.Length(m[5])}
}

// then returns the map that applies n first.
func (m affine) then(n affine) affine {
	return affine{
		m[0]*n[0] + m[1]*n[3], m[0]*n[1] + m[1]*n[4], m[0]*n[2] + m[1]*n[5] + m[2],
		m[3]*n[0] + m[4]*n[3], m[3]*n[1] + m[4]*n[4], m[3]*n[2] + m[4]*n[5] + m[5],
	}
}

// textBounds is a canvas that records the positions of texts.
type textBounds struct {
	stack []affine
	texts []placedText
}

type placedText struct {
	text   string
	bounds vg.Rectangle
}

func (c *textBounds) top() *affine { return &c.stack[len(c.stack)-1] }

func (c *textBounds) Push() { c.stack = append(c.stack, *c.top()) }
func (c *textBounds) Pop()  { c.stack = c.stack[:len(c.stack)-1] }
func (c *textBounds) Translate(p vg.Point) {
	*c.top() = c.top().then(affine{1, 0, float64(p.X), 0, 1, float64(p.Y)})
}
func (c *textBounds) Scale(x, y float64)                  { *c.top() = c.top().then(affine{x, 0, 0, 0, y, 0}) }
func (c *textBounds) SetLineWidth(vg.Length)              {}
func (c *textBounds) SetLineDash([]vg.Length, vg.Length)  {}
func (c *textBounds) SetColor(color.Color)                {}
func (c *textBounds) Stroke(vg.Path)                      {}
func (c *textBounds) Fill(vg.Path)                        {}
func (c *textBounds) DrawImage(vg.Rectangle, image.Image) {}

func (c *textBounds) Rotate(angle float64) {
	sin, cos := math.Sincos(angle)
	*c.top() = c.top().then(affine{cos, -sin, 0, sin, cos, 0})
}

func (c *textBounds) FillString(f font.Face, at vg.Point, s string) {
	wide, up, down := f.Width(s), f.Extents().Ascent, f.Extents().Descent
	r := vg.Rectangle{Min: vg.Point{X: vg.Inch * 1e6, Y: vg.Inch * 1e6}, Max: vg.Point{X: -vg.Inch * 1e6, Y: -vg.Inch * 1e6}}
	for _, corner := range []vg.Point{{X: at.X, Y: at.Y - down}, {X: at.X + wide, Y: at.Y - down}, {X: at.X, Y: at.Y + up}, {X: at.X + wide, Y: at.Y + up}} {
		p := c.top().apply(corner.X, corner.Y)
		r.Min.X, r.Min.Y = min(r.Min.X, p.X), min(r.Min.Y, p.Y)
		r.Max.X, r.Max.Y = max(r.Max.X, p.X), max(r.Max.Y, p.Y)
	}
	c.texts = append(c.texts, placedText{s, r})
}
