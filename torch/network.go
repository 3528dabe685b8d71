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
	Name   string // "primary.conv1.weight", "head.bias"
	Shape  []int
	Range  Range
	Part   Part
	Buffer bool // running statistics: moved by forward passes in training, left alone by SGD

	fanIn    int     // initial values are uniform in ±1/sqrt(fanIn); 0: they are constant
	constant float32 // initial value
}

// Network describes one or two encoders of the same layers and a linear head on their features side by side. It holds
// no weights: those are a Vector of Len values, laid out as primary, secondary, head; each encoder's parameters come
// before its buffers, the running statistics of batch norms.
type Network struct {
	handle   *C.fd_network
	layers   []Layer
	input    [3]int
	features int
	classes  int
	dual     bool
	encoder  int // values of one encoder
	trained  int // those of them that are parameters
	least    int // samples of the smallest batch it can train on
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
	shape, err := through(layers, input)
	if err != nil {
		return nil, err
	}
	if shape[1] != 1 || shape[2] != 1 {
		return nil, fmt.Errorf("the encoder ends in a shape of %v: want a flat feature vector", shape)
	}
	n.features, n.least = shape[0], smallestBatch(layers, input)
	flat := flattened(layers)
	encoder, of, trained := layout(flat)
	compiled := make([]C.fd_layer, len(flat))
	for i, layer := range flat {
		compiled[i] = compile(layer, of[i])
	}
	if len(encoder) > 0 {
		n.encoder, n.trained = encoder[len(encoder)-1].Range.End, trained
	}
	n.params = place(encoder, "primary.", Primary, 0)
	if dual {
		n.params = append(n.params, place(encoder, "secondary.", Secondary, n.encoder)...)
	}
	head, _, _ := layout([]Layer{Linear{Name: "head", In: n.width(), Out: classes}})
	n.params = append(n.params, place(head, "", Head, n.headBegin())...)
	dims := []C.int64_t{C.int64_t(input[0]), C.int64_t(input[1]), C.int64_t(input[2])}
	both := C.int(0)
	if dual {
		both = 1
	}
	if err := failure(C.fd_network_new(first(compiled), C.int64_t(len(compiled)), &dims[0], C.int64_t(n.encoder),
		C.int64_t(n.trained), C.int64_t(n.features), C.int64_t(classes), both, &n.handle)); err != nil {
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

// Buffers is where the running statistics of one encoder lie; empty without batch norm.
func (n *Network) Buffers(p Part) Range {
	r := n.Range(p)
	if p == Head || r.Len() == 0 {
		return Range{r.End, r.End}
	}
	return Range{r.Begin + n.trained, r.End}
}

// Trained is where the parameters of some parts lie, ascending: all that SGD moves.
func (n *Network) Trained(parts Part) []Range {
	var ranges []Range
	for _, p := range []Part{Primary, Secondary, Head} {
		r := n.Range(p)
		if r.End = n.Buffers(p).Begin; parts&p != 0 && r.Len() > 0 {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// Init fills the given parts of dst, of Len values, with PyTorch's defaults: weights and biases of convolutions and
// linear layers uniform in ±1/sqrt(fan-in), norms at scale 1, shift 0, mean 0 and variance 1. Random numbers come from
// r in the order of the parameters.
func (n *Network) Init(dst []float32, parts Part, r *rand.Rand) {
	for _, p := range n.params {
		if p.Part&parts == 0 {
			continue
		}
		bound := 0.0
		if p.fanIn > 0 {
			bound = 1 / math.Sqrt(float64(p.fanIn))
		}
		for i := p.Range.Begin; i < p.Range.End; i++ {
			dst[i] = p.constant
			if p.fanIn > 0 {
				dst[i] = float32((2*r.Float64() - 1) * bound)
			}
		}
	}
}
