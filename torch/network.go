package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
)

// Part is a set of a network's three parts.
type Part uint8

// The parts of a network. A single network has no secondary encoder.
const (
	Primary Part = 1 << iota
	Secondary
	Head
	All = Primary | Secondary | Head
)

// Param is one named tensor of a network and where it lies in the state vector.
type Param struct {
	Name  string // "primary.conv1.weight", "head.bias"
	Shape []int
	Range Range
	Part  Part
	fanIn int
}

// Network describes one or two encoders of the same layers and a linear head on their features side by side. It holds
// no weights: those are a Vector of Len values, laid out as primary, secondary, head.
type Network struct {
	handle   *C.fd_network
	layers   []Layer
	input    [3]int
	features int
	classes  int
	dual     bool
	encoder  int // values of one encoder
	params   []Param
}

// NewNetwork checks the layers against the input shape (C, H, W) and compiles them. The last layer must leave a flat
// feature vector. dual gives the network a secondary encoder.
func NewNetwork(layers []Layer, input [3]int, classes int, dual bool) (*Network, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	if classes < 2 || classes > 256 {
		return nil, fmt.Errorf("a network for %d classes: want 2 to 256", classes)
	}
	n := &Network{layers: layers, input: input, classes: classes, dual: dual}
	compiled := make([]C.fd_layer, len(layers))
	shape, offset := input, 0
	var encoder []Param
	for i, layer := range layers {
		out, err := layer.output(shape)
		if err != nil {
			return nil, fmt.Errorf("layer %d (%T) of an input of %v: %w", i, layer, shape, err)
		}
		params := parameters(layer, offset)
		compiled[i] = compile(layer, params)
		for _, p := range params {
			offset = p.Range.End
		}
		encoder = append(encoder, params...)
		shape = out
	}
	if shape[1] != 1 || shape[2] != 1 {
		return nil, fmt.Errorf("the encoder ends in a shape of %v: want a flat feature vector", shape)
	}
	n.features, n.encoder = shape[0], offset
	n.params = place(encoder, "primary.", Primary, 0)
	if dual {
		n.params = append(n.params, place(encoder, "secondary.", Secondary, offset)...)
	}
	head := parameters(Linear{Name: "", In: n.width(), Out: classes}, 0)
	begin := n.headBegin()
	for i, name := range []string{"head.weight", "head.bias"} {
		p := head[i]
		p.Name, p.Part, p.Range = name, Head, Range{begin + p.Range.Begin, begin + p.Range.End}
		n.params = append(n.params, p)
	}
	dims := []C.int64_t{C.int64_t(input[0]), C.int64_t(input[1]), C.int64_t(input[2])}
	both := C.int(0)
	if dual {
		both = 1
	}
	if err := failure(C.fd_network_new(first(compiled), C.int64_t(len(compiled)), &dims[0], C.int64_t(n.encoder),
		C.int64_t(n.features), C.int64_t(classes), both, &n.handle)); err != nil {
		return nil, fmt.Errorf("making a network: %w", err)
	}
	runtime.SetFinalizer(n, func(n *Network) { C.fd_network_close(n.handle) })
	return n, nil
}

// place copies an encoder's parameters to where one of the two encoders lies.
func place(params []Param, prefix string, part Part, begin int) []Param {
	placed := make([]Param, len(params))
	for i, p := range params {
		p.Name, p.Part, p.Range = prefix+p.Name, part, Range{begin + p.Range.Begin, begin + p.Range.End}
		placed[i] = p
	}
	return placed
}

func (n *Network) headBegin() int {
	if n.dual {
		return 2 * n.encoder
	}
	return n.encoder
}

// Len is the number of values of a state vector.
func (n *Network) Len() int { return n.params[len(n.params)-1].Range.End }

// Range is where one part lies; the secondary of a single network is empty.
func (n *Network) Range(p Part) Range {
	switch {
	case p == Primary:
		return Range{0, n.encoder}
	case p == Secondary && n.dual:
		return Range{n.encoder, 2 * n.encoder}
	case p == Head:
		return Range{n.headBegin(), n.Len()}
	}
	return Range{}
}

// Params lists the named tensors in the order of the state vector.
func (n *Network) Params() []Param { return n.params }

// Features is the width of one encoder's features.
func (n *Network) Features() int { return n.features }

// width is how many features the head sees.
func (n *Network) width() int {
	if n.dual {
		return 2 * n.features
	}
	return n.features
}

// Classes is the width of the logits.
func (n *Network) Classes() int { return n.classes }

// Dual says whether there is a secondary encoder.
func (n *Network) Dual() bool { return n.dual }

// Input is the shape of an image, (C, H, W).
func (n *Network) Input() [3]int { return n.input }

// Init fills the given parts of dst, of Len values, with PyTorch's default initialisation of convolutions and linear
// layers: weights and biases uniform in ±1/sqrt(fan-in). Random numbers come from r in the order of the parameters.
func (n *Network) Init(dst []float32, parts Part, r *rand.Rand) {
	for _, p := range n.params {
		if p.Part&parts == 0 {
			continue
		}
		bound := 1 / math.Sqrt(float64(p.fanIn))
		for i := p.Range.Begin; i < p.Range.End; i++ {
			dst[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}
