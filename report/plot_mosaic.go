package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
)

// Mosaic is a table of small images. All are Channels x Height x Width bytes, of 1 or 3 channels; nil is an empty place.
type Mosaic struct {
	Channels, Height, Width int
	Rows                    []string // names
	Columns                 []string
	Images                  [][][]byte // rows x columns
}

// mosaicGap is the number of pixels between two images.
const mosaicGap = 3

// zoom is how many pixels are drawn for one, in either direction: images are about 64 pixels wide.
func (m Mosaic) zoom() int { return max(1, 64/max(m.Width, m.Height, 1)) }

// picture lays the images out.
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

// PNG writes the images alone.
func (m Mosaic) PNG(w io.Writer) error {
	p, err := m.picture()
	if err != nil {
		return err
	}
	return png.Encode(w, p)
}

// SVG writes the images with the names of rows and columns.
func (m Mosaic) SVG(w io.Writer, title string) error {
	var raw bytes.Buffer
	if err := m.PNG(&raw); err != nil {
		return err
	}
	z := m.zoom()
	cw, ch := float64(m.Width*z+mosaicGap), float64(m.Height*z+mosaicGap)
	left := 40.0
	for _, name := range m.Rows {
		left = max(left, textWidth(name, 12)+40)
	}
	head := 24.0
	for _, name := range m.Columns {
		head = max(head, 0.65*textWidth(name, 11)+12) // written at an angle
	}
	width := max(left+cw*float64(len(m.Columns))+60, 480)
	probe := newCanvas(width, 0, title)
	top := probe.title(title) + head
	c := newCanvas(width, top+ch*float64(len(m.Rows))+20, title)
	c.title(title)
	for k, name := range m.Columns {
		c.f(`<text transform="translate(%s %s) rotate(-40)" font-size="11" fill="%s">%s</text>`+"\n",
			num(left+(float64(k)+0.5)*cw-4), num(top-6), quiet, escape(name))
	}
	for k, name := range m.Rows {
		c.text(left-12, top+(float64(k)+0.5)*ch+2, "end", name, `fill="`+ink+`"`)
	}
	c.f(`<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,%s"/>`+"\n",
		num(left), num(top), num(cw*float64(len(m.Columns))-mosaicGap), num(ch*float64(len(m.Rows))-mosaicGap),
		base64.StdEncoding.EncodeToString(raw.Bytes()))
	return c.writeTo(w)
}
