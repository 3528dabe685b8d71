package groups

import "fmt"

// Shape is the shape of the images from which sketches were made. Sketches of images of different shapes have different features
// and cannot be compared, even if the numbers of features are equal.
type Shape struct {
	Channels int `json:"channels"`
	Height   int `json:"height"`
	Width    int `json:"width"`
}

// String returns the shape as "3 x 32 x 32".
func (s Shape) String() string { return fmt.Sprintf("%d x %d x %d", s.Channels, s.Height, s.Width) }

// Features returns the number of features d of an image of this shape, see [NewExtractor].
func (s Shape) Features() (int, error) {
	e, err := NewExtractor(s.Channels, s.Height, s.Width)
	if err != nil {
		return 0, err
	}
	return e.Len(), nil
}
