package plot

import (
	"fmt"
	"image"
	"image/color"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Mosaic is a table of small images. All images have Channels x Height x Width bytes with 1 or 3 channels; nil is an empty
// cell.
type Mosaic struct {
	Channels, Height, Width int
	Rows                    []string // names
	Columns                 []string
	Images                  [][][]byte // rows x columns
}

// mosaicGap is the number of pixels between two images.
const mosaicGap = 3

// zoom returns the factor by which images are enlarged, so that an image is about 64 pixels wide.
func (m Mosaic) zoom() int { return max(1, 64/max(m.Width, m.Height, 1)) }

// picture joins the images into one.
func (m Mosaic) picture() (*image.RGBA, error) {
	z := m.zoom()
	w, h := m.Width*z+mosaicGap, m.Height*z+mosaicGap
	out := image.NewRGBA(image.Rect(0, 0, max(1, w*len(m.Columns)-mosaicGap), max(1, h*len(m.Rows)-mosaicGap)))
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	plane := m.Height * m.Width
	for r, row := range m.Images {
		for c, img := range row {
			if img == nil {
				continue
			}
			if len(img) != m.Channels*plane || (m.Channels != 1 && m.Channels != 3) {
				return nil, fmt.Errorf("mosaic: row %d, column %d: %d bytes for %d x %d x %d pixels, of 1 or 3 channels",
					r, c, len(img), m.Channels, m.Height, m.Width)
			}
			for y := range m.Height * z {
				for x := range m.Width * z {
					at := y/z*m.Width + x/z
					p := color.RGBA{img[at], img[at], img[at], 255}
					if m.Channels == 3 {
						p.G, p.B = img[plane+at], img[2*plane+at]
					}
					out.SetRGBA(c*w+x, r*h+y, p)
				}
			}
		}
	}
	return out, nil
}

// Figure draws the images with the names of rows and columns.
func (m Mosaic) Figure(title string) (*Figure, error) {
	picture, err := m.picture()
	if err != nil {
		return nil, err
	}
	size := picture.Bounds().Size()
	wide, high := vg.Length(size.X), vg.Length(size.Y)
	left := margin + widest(m.Rows, labelStyle(13, ink), 0) + 12
	head := headHeight(m.Columns)
	p := barePlot(plotter.NewImage(picture, 0, 0, 1, 1), &mosaicNames{m})
	width := max(left+wide+max(margin, turnedWidth(m.Columns)), 480)
	return newFigure(title, width, head+high+20, func(c draw.Canvas) {
		images := draw.Crop(c, left, 0, 20, -head)
		images.Max.X = images.Min.X + wide
		p.Draw(images)
	}), nil
}

// mosaicNames writes the names of columns above the canvas and the names of rows beside it.
type mosaicNames struct{ Mosaic }

// Plot implements plot.Plotter.
func (m *mosaicNames) Plot(c draw.Canvas, _ *gonum.Plot) {
	z := m.zoom()
	w, h := vg.Length(m.Width*z+mosaicGap), vg.Length(m.Height*z+mosaicGap)
	for k, name := range m.Columns {
		writeTurned(c, labelStyle(12, quiet), c.Min.X+(vg.Length(k)+0.5)*w-4, c.Max.Y+6, columnTurn, name)
	}
	for k, name := range m.Rows {
		writeText(c, rightAligned(labelStyle(13, ink)), c.Min.X-12, c.Max.Y-(vg.Length(k)+0.5)*h-4, name)
	}
}
