package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Images is a set of labelled images on a device, stored as bytes. Batches are gathered from it by index and normalised as
// (x/255 - mean)/std. All clients share it.
type Images struct {
	handle *C.fd_images
	n      int
	shape  [3]int
}

// NewImages copies pixels (n x shape, in C, H, W order, 0..255) and n labels to a device. mean and std have one value per
// channel, in units of pixels/255.
func NewImages(device Device, pixels []byte, shape [3]int, labels []uint8, mean, std []float32) (*Images, error) {
	n, channels := len(labels), shape[0]
	if channels < 1 || shape[1] < 1 || shape[2] < 1 || len(pixels) != n*channels*shape[1]*shape[2] {
		return nil, fmt.Errorf("images: %d bytes are not %d images of %v", len(pixels), n, shape)
	}
	if len(mean) != channels || len(std) != channels {
		return nil, fmt.Errorf("images: %d means and %d deviations for %d channels", len(mean), len(std), channels)
	}
	im := &Images{n: n, shape: shape}
	dims := []C.int64_t{C.int64_t(shape[0]), C.int64_t(shape[1]), C.int64_t(shape[2])}
	err := device.call(func(name *C.char) *C.char {
		return C.fd_images_new(name, (*C.uint8_t)(first(pixels)), (*C.uint8_t)(first(labels)), C.int64_t(n), &dims[0],
			(*C.float)(&mean[0]), (*C.float)(&std[0]), &im.handle)
	})
	if err != nil {
		return nil, fmt.Errorf("putting %d images on %v: %w", n, device, err)
	}
	runtime.SetFinalizer(im, (*Images).Close)
	return im, nil
}

// Len returns the number of images.
func (im *Images) Len() int { return im.n }

// Close frees the images. It may be called again.
func (im *Images) Close() {
	if im == nil || im.handle == nil {
		return
	}
	C.fd_images_close(im.handle)
	im.handle = nil
	runtime.SetFinalizer(im, nil)
}

// fits returns an error unless the images have the input shape of a network.
func (im *Images) fits(net *Network) error {
	if im.shape != net.input {
		return fmt.Errorf("images of %v for a network with the input shape %v (channels, height, width)", im.shape, net.input)
	}
	return nil
}

// batch returns the normalised images at rows, [len(rows), C, H, W], and their labels.
func (im *Images) batch(rows []int32, kept *tape) (Tensor, []int64, error) {
	labels := make([]int64, len(rows))
	var x unsafe.Pointer
	err := failure(C.fd_tensor_images(im.handle, (*C.int32_t)(first(rows)), C.int64_t(len(rows)), (*C.int64_t)(first(labels)), &x))
	runtime.KeepAlive(im)
	if err != nil {
		return Tensor{}, nil, fmt.Errorf("gathering a batch of %d images: %w", len(rows), err)
	}
	return kept.adopt(x), labels, nil
}
