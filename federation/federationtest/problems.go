package federationtest

import (
	"testing"

	"feddag/federation"
	"feddag/torch"
)

// TwoConcepts changes the clients of a [TinyEnv] so that the two groups differ only in the labels of the classes (concept shift).
// All clients hold all classes; those with odd ids number the classes in reverse order.
func TwoConcepts(e *federation.Env) {
	for i, c := range e.Clients {
		c.Train, c.Test = nil, nil
		for k := range samplesPerClient {
			c.Train = append(c.Train, int32(i*samplesPerClient+k))
		}
		for k := range e.Data.Test.Len() {
			c.Test = append(c.Test, int32(k))
		}
		c.LabelMap = nil
		if i%2 == 1 {
			c.LabelMap = []uint8{3, 2, 1, 0}
		}
	}
}

// TwoStyles changes the clients of a [TinyEnv] so that the two groups differ only in the style of the images (feature skew). All
// clients hold all classes; the training images of clients with odd ids have half the contrast and a brighter left half.
func TwoStyles(t *testing.T, e *federation.Env) {
	t.Helper()
	TwoConcepts(e)
	for i, c := range e.Clients {
		if c.LabelMap = nil; i%2 == 0 {
			continue
		}
		for _, k := range c.Train {
			image := e.Data.Image(e.Data.Train, int(k))
			for p := range image {
				if image[p] = 60 + image[p]/2; p%Side < Side/2 {
					image[p] += 60
				}
			}
		}
	}
	styled, err := torch.NewImages(e.Device, e.Data.Train.Pixels, [3]int{1, Side, Side}, e.Data.Train.Labels, e.Data.Mean, e.Data.Std)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(styled.Close)
	e.Train = styled
}

// TwoDifficulties changes the clients of a [TinyEnv] so that the losses of the two groups are far apart: three clients hold all
// classes and are group 1, five hold one class and are group 0.
func TwoDifficulties(e *federation.Env) {
	TwoConcepts(e)
	for i, c := range e.Clients {
		c.LabelMap, c.Group = nil, 1
		if i%3 != 1 {
			c.Group = 0
			for k := range c.Train {
				c.Train[k] = int32(i*samplesPerClient + k/4*4)
			}
		}
	}
}
