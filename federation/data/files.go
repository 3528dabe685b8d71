package data

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// ReadFiles reads image files like the reader of the data set: the images are decoded, rotated, resized and converted to grey
// according to the options of the set. It returns the pixels of all images one after another, 0..255. shape is channels, height
// and width. An image of another size is resized with filter; if filter is "", it is an error unless the options have a filter.
// If shape has one channel, a colour image is an error unless the options convert images to grey. If shape has three channels,
// a grey image has three equal channels.
func ReadFiles(ctx context.Context, paths []string, shape [3]int, dataSet string, options map[string]string, filter string) ([]byte, error) {
	base, _, _ := strings.Cut(dataSet, ":")
	known := map[string]string{}
	for key := range imageOptions {
		if _, reads := sources[base].options[key]; reads && options[key] != "" {
			known[key] = options[key]
		}
	}
	if base == "parquet" && known["exif"] == "" { // its reader rotates images by default
		known["exif"] = "apply"
	}
	if filter != "" {
		known["size"], known["resize"] = fmt.Sprintf("%dx%d", shape[2], shape[1]), filter
	}
	o, err := parseImageOptions(query{name: dataSet, extra: known})
	if err != nil {
		return nil, err
	}
	stretch := o.width > 0
	size := shape[0] * shape[1] * shape[2]
	pixels := make([]byte, 0, len(paths)*size)
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := readPicture(picture{node: &node{place: path}}, o.upright)
		if err != nil {
			return nil, err
		}
		d := decoded{channels: 3, height: shape[1], width: shape[2], pixels: r.planes}
		if r.height != shape[1] || r.width != shape[2] {
			if !stretch {
				return nil, fmt.Errorf("%s has %d x %d pixels, but the models need %d x %d: resize it first, or add --resize bilinear to stretch it",
					path, r.width, r.height, shape[2], shape[1])
			}
			d.pixels = make([]byte, 3*shape[1]*shape[2])
			resize(d.pixels, shape[2], shape[1], r, o.filter)
		}
		if shape[0] == 1 {
			if r.colour && o.channels != 1 && !equalPlanes(r) {
				return nil, fmt.Errorf("%s has colours, but the models need grey images of one channel: convert it to grey first", path)
			}
			d.grey(r.colour)
		}
		pixels = append(pixels, d.pixels...)
	}
	return pixels, nil
}

// equalPlanes reports whether an image that is stored with colours is grey.
func equalPlanes(r raster) bool {
	n := r.width * r.height
	return bytes.Equal(r.planes[:n], r.planes[n:2*n]) && bytes.Equal(r.planes[:n], r.planes[2*n:])
}
