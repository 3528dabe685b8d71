package federationtest

import "feddag/federation"

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
