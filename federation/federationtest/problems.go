package federationtest

import "feddag/federation"

// concepts makes the two groups differ in nothing but what they call the classes: all hold all classes, the odd ones
// count them from the other end.
func TwoConcepts(e *federation.Env) {
	for i, c := range e.Clients {
		c.Train, c.Test = nil, nil
		for k := range 24 {
			c.Train = append(c.Train, int32(i*24+k))
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

// difficulties makes three clients hold all classes and five only one: the losses of the two groups are far apart.
func TwoDifficulties(e *federation.Env) {
	TwoConcepts(e)
	for i, c := range e.Clients {
		c.LabelMap, c.Group = nil, 1
		if i%3 != 1 {
			c.Group = 0
			for k := range c.Train {
				c.Train[k] = int32(i*24 + k/4*4)
			}
		}
	}
}
