package data

import (
	"fmt"
	"math"
)

// Images is one split of a data set: N images of Channels x Height x Width bytes (CHW, 0..255) and their labels.
type Images struct {
	Pixels []byte  // N*Channels*Height*Width, image after image
	Labels []uint8 // N, each below Set.Classes
	// Users has the person or source of each image, an index into Set.UserNames, N; nil if unknown.
	Users []int32
}

// Len returns the number of images N.
func (im Images) Len() int { return len(im.Labels) }

// Bounds of a set. Labels are bytes, and a set with more than maxSetBytes of pixels is assumed to be a mistake.
const (
	maxClasses  = 256
	maxSetBytes = 1 << 36
)

// Set is a data set in memory. All clients share it, and none of them modifies it after Load.
type Set struct {
	Name                    string // registered name
	Title                   string // name in texts
	Channels, Height, Width int
	Classes                 int
	ClassNames              []string  // by label; Classes of them, or none
	Mean, Std               []float32 // per channel, of pixels/255: an input is (pixel/255 - Mean)/Std
	// Superclass has the superclass of each class, an index into SuperclassNames, Classes of them; nil for none.
	// CIFAR-100 has superclasses.
	Superclass      []uint8
	SuperclassNames []string
	UserNames       []string // names of the users, indexed by Images.Users
	Train, Test     Images
	Files           []string // files from which the set was read
	Notes           []string // remarks for the user, one line each

	hash string // result of Hash; "" if it has not been computed
}

// ImageSize returns the number of bytes per image, Channels*Height*Width.
func (s *Set) ImageSize() int { return s.Channels * s.Height * s.Width }

// Image returns the pixels of image i of a split (s.Train or s.Test), Channels x Height x Width, as a view of
// split.Pixels. i is an index below split.Len().
func (s *Set) Image(split Images, i int) []byte {
	size := s.ImageSize()
	return split.Pixels[i*size : (i+1)*size : (i+1)*size]
}

// ClassCounts returns the number of images of each class in a split, by label (length Classes).
func (s *Set) ClassCounts(split Images) []int {
	counts := make([]int, s.Classes)
	for _, l := range split.Labels {
		if int(l) < s.Classes {
			counts[l]++
		}
	}
	return counts
}

// Check returns an error if the set is inconsistent, for instance if sizes do not match or a label has no class.
func (s *Set) Check() error {
	switch {
	case s == nil:
		return fmt.Errorf("there is no data set")
	case s.Channels < 1 || s.Height < 1 || s.Width < 1:
		return fmt.Errorf("data set %s: images of %d x %d x %d have no pixels", s.Name, s.Channels, s.Height, s.Width)
	case s.Classes < 1 || s.Classes > maxClasses:
		return fmt.Errorf("data set %s: the number of classes is %d, but must be 1 to %d", s.Name, s.Classes, maxClasses)
	case len(s.ClassNames) != 0 && len(s.ClassNames) != s.Classes:
		return fmt.Errorf("data set %s: %d class names for %d classes", s.Name, len(s.ClassNames), s.Classes)
	}
	if len(s.Superclass) != 0 && len(s.Superclass) != s.Classes {
		return fmt.Errorf("data set %s: %d superclass entries for %d classes", s.Name, len(s.Superclass), s.Classes)
	}
	for c, super := range s.Superclass {
		if int(super) >= len(s.SuperclassNames) {
			return fmt.Errorf("data set %s: class %d has superclass %d, but must be below %d", s.Name, c, super, len(s.SuperclassNames))
		}
	}
	for _, split := range []struct {
		name string
		im   Images
	}{{"training", s.Train}, {"test", s.Test}} {
		n := split.im.Len()
		if n > math.MaxInt32 {
			return fmt.Errorf("data set %s: %d %s images are more than an index can count", s.Name, n, split.name)
		}
		if len(split.im.Pixels) != n*s.ImageSize() {
			return fmt.Errorf("data set %s: there are %d bytes of %s pixels for %d labels, but there must be %d", s.Name,
				len(split.im.Pixels), split.name, n, n*s.ImageSize())
		}
		if split.im.Users != nil && len(split.im.Users) != n {
			return fmt.Errorf("data set %s: %d users of %s images for %d labels", s.Name, len(split.im.Users), split.name, n)
		}
		for i, u := range split.im.Users {
			if u < 0 || int(u) >= len(s.UserNames) {
				return fmt.Errorf("data set %s: %s image %d has user %d, but must be below %d", s.Name, split.name, i, u, len(s.UserNames))
			}
		}
		for i, l := range split.im.Labels {
			if int(l) >= s.Classes {
				return fmt.Errorf("data set %s: %s image %d has label %d, but must be below %d", s.Name, split.name, i, l, s.Classes)
			}
		}
	}
	return nil
}
