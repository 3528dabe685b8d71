package data

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
)

// Sheet writes a contact sheet as PNG. It has one row per class, ordered by label, with the first images of the class in a
// split, at most columns of them. Small images are enlarged by a whole factor. A class without images has an empty row.
func (s *Set) Sheet(w io.Writer, split Images, columns int) error {
	if columns < 1 || columns > 1000 {
		return fmt.Errorf("contact sheet: the number of columns is %d, but must be 1 to 1000", columns)
	}
	if s.Channels != 1 && s.Channels != 3 {
		return fmt.Errorf("contact sheet: the images have %d channels, but must have 1 or 3", s.Channels)
	}
	const gap = 2
	zoom := max(1, 48/max(s.Height, s.Width))
	cellW, cellH := s.Width*zoom+gap, s.Height*zoom+gap
	if s.Classes*cellH > maxImagePixels/(columns*cellW) {
		return fmt.Errorf("contact sheet: %d rows of %d images of %d x %d are too large: choose fewer columns", s.Classes, columns, s.Width, s.Height)
	}
	sheet := image.NewNRGBA(image.Rect(0, 0, columns*cellW+gap, s.Classes*cellH+gap))
	for i := range sheet.Pix {
		sheet.Pix[i] = 255
	}
	filled := make([]int, s.Classes)
	plane := s.Height * s.Width
	for i := range split.Len() {
		row := int(split.Labels[i])
		column := filled[row]
		if column == columns {
			continue
		}
		filled[row]++
		pixels := s.Image(split, i)
		for y := range s.Height * zoom {
			for x := range s.Width * zoom {
				p := y/zoom*s.Width + x/zoom
				c := color.NRGBA{pixels[p], pixels[p], pixels[p], 255}
				if s.Channels == 3 {
					c.G, c.B = pixels[plane+p], pixels[2*plane+p]
				}
				sheet.SetNRGBA(gap+column*cellW+x, gap+row*cellH+y, c)
			}
		}
	}
	return png.Encode(w, sheet)
}
