package plot

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"feddag/internal/spelling"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// Format is a file format of figures. It is also the suffix of the file name.
type Format string

// The formats that a Figure can be written in.
const (
	SVG Format = "svg"
	PDF Format = "pdf"
	PNG Format = "png"
)

// Formats lists all formats.
func Formats() []Format { return []Format{SVG, PDF, PNG} }

// ParseFormats parses the names of formats. Duplicate and empty names are ignored. An unknown name, or no name at all, is an
// error that lists the known names.
func ParseFormats(names []string) ([]Format, error) {
	var known []string
	for _, f := range Formats() {
		known = append(known, string(f))
	}
	var formats []Format
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		if err := spelling.OneOf("format", name, known); err != nil {
			return nil, err
		}
		if f := Format(name); !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	if len(formats) == 0 {
		return nil, errors.New("no format: use one or more of " + strings.Join(known, ", "))
	}
	return formats, nil
}

// canvas is a page that can be drawn on and then written to a file.
type canvas interface {
	vg.Canvas
	io.WriterTo
}

// newCanvas returns an empty page of the given size. title is used by formats whose pages have a title.
func newCanvas(f Format, title string, width, height vg.Length) (canvas, error) {
	switch f {
	case SVG:
		return newSVG(title, width, height), nil
	case PDF:
		return newPDF(width, height), nil
	case PNG:
		const pixelsPerInch = 144 // two pixels per point
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pixelsPerInch))}, nil
	}
	return nil, fmt.Errorf("unknown format %q", f)
}
