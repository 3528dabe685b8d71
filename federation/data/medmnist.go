package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"feddag/internal/npy"
)

// The set medmnist is a published set of MedMNIST (Yang et al., MedMNIST v2, Scientific Data, 2023): one .npz with the
// arrays train_images, train_labels, val_images, val_labels, test_images and test_labels. Images are N x H x W bytes, or N
// x H x W x 3 for colours, and labels are N x 1. Validation images are left out. Sets with several labels per image and
// sets of volumes are rejected.
func init() {
	register(source{
		name: "medmnist", title: "MedMNIST", takesPath: true, endings: []string{".npz"}, cacheable: always,
		find: func(q query) ([]string, error) {
			file, err := findPath(q, []string{"", ".npz"}, []string{"medmnist", ".medmnist"}, "a .npz of MedMNIST")
			return []string{file}, err
		},
		read: func(_ context.Context, files []string, _ query) (*Set, error) {
			s, err := readMedMNIST(files[0])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", files[0], err)
			}
			s.scaleByTraining()
			return s, nil
		},
	})
}

// medSplits are the prefixes of the arrays of each split.
var medSplits = []string{"train", "val", "test"}

// readMedMNIST reads a .npz. It does not set the scale.
func readMedMNIST(name string) (*Set, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder, but a .npz of MedMNIST is needed, such as pathmnist.npz")
	}
	return decodeMedMNIST(f, info.Size())
}

// decodeMedMNIST reads a .npz of size bytes.
func decodeMedMNIST(r io.ReaderAt, size int64) (*Set, error) {
	var others []string
	arrays, err := npy.ReadZip(r, size, func(array string) (int, error) {
		for _, split := range medSplits {
			switch array {
			case split + "_images":
				if split == "val" {
					return 0, npy.ErrSkip
				}
				return maxSetBytes, nil
			case split + "_labels":
				return 1 << 28, nil
			}
		}
		others = append(others, array)
		return 0, npy.ErrSkip
	})
	if err != nil {
		return nil, err
	}
	s := &Set{}
	if len(others) > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s not read: %s", counted(len(others), "array is", "arrays are"), few(others)))
	}
	for _, split := range medSplits {
		labels, err := medLabels(arrays, split)
		if err != nil {
			return nil, err
		}
		for _, l := range labels {
			s.Classes = max(s.Classes, int(l)+1)
		}
		if split == "val" {
			if len(labels) > 0 {
				s.Notes = append(s.Notes, fmt.Sprintf("%d validation images are left out", len(labels)))
			}
			continue
		}
		to := &s.Train
		if split == "test" {
			to = &s.Test
		}
		to.Labels = labels
		if err := s.addMedImages(to, arrays[split+"_images"], split); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// medLabels returns the labels of a split. Only the validation images may be missing.
func medLabels(arrays map[string]*npy.Array, split string) ([]uint8, error) {
	name := split + "_labels"
	a := arrays[name]
	switch {
	case a == nil && split == "val":
		return nil, nil
	case a == nil:
		return nil, fmt.Errorf("it has no array %s: a .npz of MedMNIST has train_images, train_labels, test_images and test_labels", name)
	case len(a.Shape) == 2 && a.Shape[1] > 1:
		return nil, fmt.Errorf("%s has %d labels per image, like ChestMNIST: only sets with one label per image are read", name, a.Shape[1])
	case len(a.Shape) < 1 || len(a.Shape) > 2 || a.Len() == 0:
		return nil, fmt.Errorf("%s has the shape %v, but must be N x 1", name, a.Shape)
	}
	numbers, err := a.Ints(0, maxClasses-1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	labels := make([]uint8, len(numbers))
	for i, n := range numbers {
		labels[i] = uint8(n)
	}
	return labels, nil
}

// addMedImages sets the pixels of a split whose labels are set, and the shape of the set, which all splits share.
func (s *Set) addMedImages(to *Images, a *npy.Array, split string) error {
	name := split + "_images"
	if a == nil {
		return fmt.Errorf("it has no array %s", name)
	}
	pixels, ok := a.Data.([]uint8)
	shape := a.Shape
	switch {
	case !ok:
		return fmt.Errorf("%s is not an array of bytes (uint8)", name)
	case len(shape) == 4 && shape[3] != 3 && shape[3] != 1 || len(shape) == 5:
		return fmt.Errorf("%s has the shape %v of volumes (3D sets): only images are read, N x H x W or N x H x W x 3", name, shape)
	case len(shape) != 3 && len(shape) != 4:
		return fmt.Errorf("%s has the shape %v, but must be N x H x W or N x H x W x 3", name, shape)
	case shape[0] != len(to.Labels):
		return fmt.Errorf("%s has %d images, but %s_labels has %d labels; fetch it again", name, shape[0], split, len(to.Labels))
	}
	channels := 1
	if len(shape) == 4 {
		channels = shape[3]
	}
	if s.Channels == 0 {
		s.Channels, s.Height, s.Width = channels, shape[1], shape[2]
	} else if !slices.Equal([]int{channels, shape[1], shape[2]}, []int{s.Channels, s.Height, s.Width}) {
		return fmt.Errorf("%s has images of %d x %d x %d, but the training images are %d x %d x %d", name,
			channels, shape[1], shape[2], s.Channels, s.Height, s.Width)
	}
	planar(pixels, channels, shape[1]*shape[2])
	to.Pixels = pixels
	return nil
}
