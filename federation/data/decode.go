package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"feddag/internal/damage"
	"feddag/internal/parallel"
)

// maxImagePixels bounds the pixels of one image: 33 megapixels.
const maxImagePixels = 1 << 25

// raster is a decoded image: planes R, G and B of Width x Height bytes each. colour says that they may differ.
type raster struct {
	width, height int
	planes        []byte // length 3*Height*Width
	colour        bool
	deep          bool   // whether the file has 16 bits per value
	deepest       uint16 // largest value with 16 bits
	orientation   int    // EXIF orientation, 0 for none; the planes are in the stored orientation
}

// decodeImage decodes a JPEG or PNG. Grey images get three equal planes, palettes are looked up, transparency is ignored
// (as in PIL's convert("RGB")), and the upper 8 of 16 bits are used. CMYK is an error, because its colours are not known
// without the profile. A file that is too small for the size in its header is an error before memory of this size is
// allocated.
func decodeImage(b []byte) (raster, error) {
	if len(b) == 0 {
		return raster{}, errors.New("empty file")
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return raster{}, describeImageError(err)
	}
	w, h := config.Width, config.Height
	perByte := 1 << 10 // pixels per byte: JPEG takes at least one bit per block of 8 x 8
	if format == "png" {
		perByte = 1 << 14 // deflate compresses 1032 to 1 at best, and a byte has up to 8 pixels
	}
	switch {
	case w < 1 || h < 1:
		return raster{}, fmt.Errorf("%d x %d pixels", w, h)
	case w > maxImagePixels/h:
		return raster{}, fmt.Errorf("%d x %d pixels are more than the %d that this program reads", w, h, maxImagePixels)
	case w*h/perByte > len(b):
		return raster{}, fmt.Errorf("damaged: %d bytes cannot hold the %d x %d pixels that its header claims", len(b), w, h)
	case config.ColorModel == color.CMYKModel:
		return raster{}, errors.New("it has CMYK colours: convert it to RGB or grey first")
	}
	decode := jpeg.Decode
	if format == "png" {
		decode = png.Decode
	}
	m, err := decode(bytes.NewReader(b))
	if err != nil {
		return raster{}, describeImageError(err)
	}
	if box := m.Bounds(); box.Dx() != w || box.Dy() != h {
		return raster{}, errors.New("damaged: the header and the image have different sizes")
	}
	r := raster{width: w, height: h, planes: make([]byte, 3*w*h), colour: true, orientation: orientation(b)}
	r.fill(m)
	return r, nil
}

// fill copies the pixels of a decoded image of the same size.
func (r *raster) fill(m image.Image) {
	w, h, box := r.width, r.height, m.Bounds()
	n := w * h
	put := func(x, y int, red, green, blue byte) {
		i := y*w + x
		r.planes[i], r.planes[n+i], r.planes[2*n+i] = red, green, blue
	}
	switch m := m.(type) {
	case *image.YCbCr:
		rgbOfYCbCr(r.planes, m)
	case *image.Gray:
		r.colour = false
		for y := range h {
			copy(r.planes[y*w:(y+1)*w], m.Pix[m.PixOffset(box.Min.X, box.Min.Y+y):])
		}
		copy(r.planes[n:], r.planes[:n])
		copy(r.planes[2*n:], r.planes[:n])
	case *image.Gray16:
		r.colour = false
		r.setDeepest(m.Pix, 1, 1)
		for y := range h {
			for x := range w {
				g := m.Pix[m.PixOffset(box.Min.X+x, box.Min.Y+y)]
				put(x, y, g, g, g)
			}
		}
	default:
		switch m := m.(type) {
		case *image.RGBA64:
			r.setDeepest(m.Pix, 4, 3)
		case *image.NRGBA64:
			r.setDeepest(m.Pix, 4, 3)
		}
		for y := range h {
			for x := range w {
				r, g, b := opaque(m.At(box.Min.X+x, box.Min.Y+y))
				put(x, y, r, g, b)
			}
		}
	}
}

// setDeepest finds the largest value of an image with 16 bits per value. pixels has size big-endian values per pixel, of
// which the first used are considered.
func (r *raster) setDeepest(pixels []byte, size, used int) {
	r.deep = true
	for at := 0; at+2*size <= len(pixels); at += 2 * size {
		for k := range used {
			r.deepest = max(r.deepest, uint16(pixels[at+2*k])<<8|uint16(pixels[at+2*k+1]))
		}
	}
}

// opaque returns the stored colour without its transparency. The colour's method RGBA would darken it.
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

// describeImageError describes an error of Go's decoders.
func describeImageError(err error) error {
	switch {
	case errors.Is(err, image.ErrFormat):
		return errors.New("the content is neither JPEG nor PNG")
	case strings.HasSuffix(err.Error(), io.ErrUnexpectedEOF.Error()): // image/png does not wrap it
		return damage.Describe(io.ErrUnexpectedEOF)
	}
	return damage.Describe(err)
}

// decodeOptions are the size and the channels to which the images of a tree are converted.
type decodeOptions struct {
	height, width int    // 0 for the size of the first image; then an image of another size is an error
	filter        string // how an image of another size is resized: see filters
	channels      int    // 1, 3, or 0: 1 if no image has colours
	upright       bool   // whether images are rotated according to their EXIF orientation
	progress      func(done, total int)
}

// decoded has images of one size: N x Channels x Height x Width bytes.
type decoded struct {
	channels, height, width int
	pixels                  []byte
	deep                    int    // number of images with 16 bits per value
	deepest                 uint16 // largest of these values
	turned                  int    // number of images with an EXIF orientation other than upright
	upright                 bool   // whether these were rotated
}

// notes returns notes about images with 16 bits whose upper 8 bits are not enough, and about EXIF orientations.
func (d *decoded) notes() []string {
	var out []string
	switch {
	case d.turned > 0 && d.upright:
		out = append(out, fmt.Sprintf("%s rotated according to the EXIF orientation (option exif=ignore leaves them unchanged)", counted(d.turned, "image was", "images were")))
	case d.turned > 0:
		out = append(out, fmt.Sprintf("%s an EXIF orientation, which is ignored, as in torchvision's ImageFolder (option exif=apply rotates them)", counted(d.turned, "image has", "images have")))
	}
	levels := int(d.deepest>>8) + 1
	if d.deep == 0 || levels > 16 {
		return out
	}
	text := fmt.Sprintf("at most %d of 256 levels are left", levels)
	if levels == 1 {
		text = "they are all black"
	}
	return append(out, fmt.Sprintf("%s 16 bits per value, but values only up to %d; because the upper 8 bits are used, %s: scale them or convert them to 8 bits",
		counted(d.deep, "image has", "images have"), d.deepest, text))
}

// decodeAll decodes images on all cores. If an image cannot be read, or if it has another size than the others and no size
// is given, the error names it. If there are several such images, the error names the first one in their order, whatever the
// number of cores.
func decodeAll(ctx context.Context, pictures []picture, o decodeOptions) (*decoded, error) {
	if len(pictures) == 0 {
		return nil, errors.New("no images")
	}
	first, err := readPicture(pictures[0], o.upright)
	if err != nil {
		return nil, err
	}
	d := &decoded{channels: 3, height: o.height, width: o.width, upright: o.upright}
	if o.height == 0 {
		d.height, d.width = first.height, first.width
	}
	size := 3 * d.height * d.width
	if len(pictures) > maxSetBytes/size {
		return nil, fmt.Errorf("%d images of %d bytes are more than the %d GB that this program can hold", len(pictures), size, maxSetBytes>>30)
	}
	d.pixels = make([]byte, len(pictures)*size)

	var failed atomic.Int64 // the first image that failed
	failed.Store(int64(len(pictures)))
	var mu sync.Mutex
	var firstErr error
	colour, done := false, 0
	one := func(i int) (raster, error) {
		r, err := readPicture(pictures[i], o.upright)
		if err != nil {
			return r, err
		}
		if o.height == 0 && (r.height != d.height || r.width != d.width) {
			return r, fmt.Errorf("%s has %d x %d pixels, but %s has %d x %d: choose one size with the option size=WIDTHxHEIGHT",
				pictures[i].place, r.width, r.height, pictures[0].place, d.width, d.height)
		}
		to := d.pixels[i*size : (i+1)*size]
		if r.height == d.height && r.width == d.width {
			copy(to, r.planes)
		} else {
			resize(to, d.width, d.height, r, o.filter)
		}
		r.planes = nil
		return r, nil
	}
	parallel.For(len(pictures), func(i int) {
		if ctx.Err() != nil || int64(i) >= failed.Load() {
			return
		}
		r, err := one(i)
		collect := false
		mu.Lock()
		if err != nil && int64(i) < failed.Load() {
			failed.Store(int64(i))
			firstErr = err
		}
		colour = colour || r.colour
		if r.deep {
			d.deep, d.deepest = d.deep+1, max(d.deepest, r.deepest)
		}
		if r.orientation > 1 {
			d.turned++
		}
		done++
		// Without this, the garbage of the decoders could grow to the size of the set before it is collected.
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
	})
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

// readPicture decodes a picture, and rotates it according to its EXIF orientation if upright is set.
func readPicture(p picture, upright bool) (raster, error) {
	b, err := p.read()
	if err == nil {
		var r raster
		if r, err = decodeImage(b); err == nil {
			if upright {
				r.turn(r.orientation)
			}
			return r, nil
		}
	}
	return raster{}, fmt.Errorf("%s: %w", p.place, err)
}

// grey reduces each image to one plane: the luminance of PIL's convert("L") (ITU-R 601).
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
