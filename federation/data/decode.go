package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"feddag/federation/data/jpeg"
)

// maxImagePixels bounds one image: 33 megapixels.
const maxImagePixels = 1 << 25

// raster is a decoded image: three planes of Width x Height bytes R, G, B, and whether they may differ.
type raster struct {
	width, height int
	planes        []byte // 3*Height*Width
	colour        bool
}

// decodeImage decodes a JPEG or PNG, the way Pillow does. Grey images get three equal planes, palettes are looked up,
// transparency is left out of account (as convert("RGB") does), and of 16 bits the upper 8 are taken. CMYK is an error, for
// without the profile its colours are not known. A file too small for the size that its header claims is an error
// before anything of that size is allocated.
func decodeImage(b []byte) (raster, error) {
	switch {
	case len(b) == 0:
		return raster{}, errors.New("empty file")
	case bytes.HasPrefix(b, []byte{0xff, 0xd8}):
		return decodeJPEG(b)
	}
	config, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return raster{}, badPNG(err)
	}
	// Deflate's 1032 at best, of bytes of 8 pixels.
	if err := plausible(config.Width, config.Height, len(b), 1<<13); err != nil {
		return raster{}, err
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return raster{}, badPNG(err)
	}
	r := raster{width: config.Width, height: config.Height, planes: make([]byte, 3*config.Width*config.Height), colour: true}
	r.fill(m)
	return r, nil
}

// plausible returns an error for a size that no file of so many bytes has, with at most perByte pixels a byte.
func plausible(w, h, size, perByte int) error {
	switch {
	case w < 1 || h < 1:
		return fmt.Errorf("damaged: %d x %d pixels", w, h)
	case w > maxImagePixels/h:
		return fmt.Errorf("%d x %d pixels, more than the %d this program reads", w, h, maxImagePixels)
	case w*h/perByte > size:
		return fmt.Errorf("damaged: %d bytes cannot hold the %d x %d pixels that its header claims", size, w, h)
	}
	return nil
}

func decodeJPEG(b []byte) (raster, error) {
	config, err := jpeg.ReadConfig(b)
	if err != nil {
		return raster{}, fmt.Errorf("%w; fetch it again", err)
	}
	if config.Components == 4 {
		return raster{}, errors.New("CMYK colours: convert it to RGB or grey first")
	}
	// A bit a block of 8 x 8 is the least that JPEG takes.
	if err := plausible(config.Width, config.Height, len(b), 1<<9); err != nil {
		return raster{}, err
	}
	m, err := jpeg.Decode(b)
	if err != nil {
		return raster{}, fmt.Errorf("%w; fetch it again", err)
	}
	r := raster{width: m.Width, height: m.Height, planes: m.Pixels, colour: m.Channels == 3}
	if !r.colour {
		r.planes = slices.Concat(m.Pixels, m.Pixels, m.Pixels)
	}
	return r, nil
}

// fill takes over the pixels of a PNG of the same size.
func (r *raster) fill(m image.Image) {
	switch m.(type) {
	case *image.Gray, *image.Gray16:
		r.colour = false
	}
	n, box := r.width*r.height, m.Bounds()
	for y := range r.height {
		for x := range r.width {
			i := y*r.width + x
			r.planes[i], r.planes[n+i], r.planes[2*n+i] = opaque(m.At(box.Min.X+x, box.Min.Y+y))
		}
	}
}

// opaque returns a colour without its transparency: as it was stored, where RGBA() would darken it.
func opaque(c color.Color) (r, g, b byte) {
	switch c := c.(type) {
	case color.NRGBA:
		return c.R, c.G, c.B
	case color.NRGBA64:
		return byte(c.R >> 8), byte(c.G >> 8), byte(c.B >> 8)
	}
	red, green, blue, _ := c.RGBA()
	return byte(red >> 8), byte(green >> 8), byte(blue >> 8)
}

// badPNG words an error of image/png.
func badPNG(err error) error {
	var format png.FormatError
	switch {
	case errors.As(err, &format) && format == "not a PNG file", errors.Is(err, io.EOF):
		return errors.New("neither JPEG nor PNG inside, whatever its name says")
	case strings.HasSuffix(err.Error(), io.ErrUnexpectedEOF.Error()): // which image/png does not wrap
		return damaged(io.ErrUnexpectedEOF)
	}
	return damaged(err)
}

// decodeOptions say what images of a tree become.
type decodeOptions struct {
	height, width int    // 0: as the first image; another size is then an error
	filter        string // how an image of another size is resized: see filters
	channels      int    // 1, 3, or 0: 1 if no image has colours
	progress      func(done, total int)
}

// decoded is images of one size: N x Channels x Height x Width bytes.
type decoded struct {
	channels, height, width int
	pixels                  []byte
}

// decodeAll decodes images on all cores. An image that cannot be read, or is of another size where none is asked for,
// is an error that names it: the first one in their order, whatever the number of cores.
func decodeAll(ctx context.Context, pictures []picture, o decodeOptions) (*decoded, error) {
	if len(pictures) == 0 {
		return nil, errors.New("no images")
	}
	first, err := readPicture(pictures[0])
	if err != nil {
		return nil, err
	}
	d := &decoded{channels: 3, height: o.height, width: o.width}
	if o.height == 0 {
		d.height, d.width = first.height, first.width
	}
	size := 3 * d.height * d.width
	if len(pictures) > maxSetBytes/size {
		return nil, fmt.Errorf("%d images of %d bytes are more than the %d GB this program holds", len(pictures), size, maxSetBytes>>30)
	}
	d.pixels = make([]byte, len(pictures)*size)

	var next, failed atomic.Int64 // the image to take; the first that failed
	failed.Store(int64(len(pictures)))
	var mu sync.Mutex
	var firstErr error
	colour, done := false, 0
	one := func(i int) (bool, error) {
		r, err := readPicture(pictures[i])
		if err != nil {
			return false, err
		}
		if o.height == 0 && (r.height != d.height || r.width != d.width) {
			return false, fmt.Errorf("%s is %d x %d pixels, %s is %d x %d: choose one size with the option size=WIDTHxHEIGHT",
				pictures[i].place, r.width, r.height, pictures[0].place, d.width, d.height)
		}
		to := d.pixels[i*size : (i+1)*size]
		if r.height == d.height && r.width == d.width {
			copy(to, r.planes)
		} else {
			resize(to, d.width, d.height, r, o.filter)
		}
		return r.colour, nil
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= failed.Load() || i >= int64(len(pictures)) {
					return
				}
				c, err := one(int(i))
				collect := false
				mu.Lock()
				if err != nil && i < failed.Load() {
					failed.Store(i)
					firstErr = err
				}
				colour = colour || c
				done++
				// What decoders leave behind may else grow to the size of the set before it is collected.
				if done%max(1, 1<<26/size) == 0 {
					collect = true
				}
				if o.progress != nil && (done%256 == 0 || done == len(pictures)) {
					o.progress(done, len(pictures))
				}
				mu.Unlock()
				if collect {
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
	if firstErr != nil {
		return nil, firstErr
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.channels == 1 || o.channels == 0 && !colour {
		d.grey(colour)
	}
	return d, nil
}

func readPicture(p picture) (raster, error) {
	b, err := p.read()
	if err == nil {
		var r raster
		if r, err = decodeImage(b); err == nil {
			return r, nil
		}
	}
	return raster{}, fmt.Errorf("%s: %w", p.place, err)
}

// grey leaves one plane of each image; of colours their luminance as PIL's convert("L") has it (ITU-R 601).
func (d *decoded) grey(colour bool) {
	n := d.height * d.width
	images := len(d.pixels) / (3 * n)
	for i := range images {
		from, to := d.pixels[3*n*i:3*n*(i+1)], d.pixels[n*i:n*(i+1)]
		if !colour {
			copy(to, from[:n])
			continue
		}
		for k := range n { // 0.299, 0.587 and 0.114 times 2^16
			to[k] = byte((19595*uint32(from[k]) + 38470*uint32(from[n+k]) + 7471*uint32(from[2*n+k]) + 1<<15) >> 16)
		}
	}
	d.channels, d.pixels = 1, append([]byte(nil), d.pixels[:images*n]...)
}
