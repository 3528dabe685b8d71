package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
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

// Param is one named tensor of a network and its range in the state vector.
type Param struct {
	Name   string // "primary.conv1.weight", "head.bias"
	Shape  []int
	Range  Range
	Part   Part
	Buffer bool // running statistics, which forward passes in training change and SGD does not

	fanIn    int     // initial values are uniform in ±1/sqrt(fanIn); if 0, they are constant
	constant float32 // initial value
}

// layer returns the name of the layer that has the tensor: "primary.conv1".
func (p Param) layer() string { return p.Name[:strings.LastIndexByte(p.Name, '.')] }

// Network describes one or two encoders with the same layers, and a linear head on their concatenated features. It does not
// contain weights. The weights are a Vector of Len values in the order primary, secondary, head. The parameters of each
// encoder come before its buffers, which are the running statistics of batch norms.
type Network struct {
	handle   *C.fd_network
	layers   []Layer
	input    [3]int
	features int
	classes  int
	dual     bool
	encoder  int // number of values of one encoder
	trained  int // number of these values that are parameters
	least    int // number of samples in the smallest batch on which it can train
	params   []Param
}

// NewNetwork checks the layers against the input shape (C, H, W) and compiles them. The output of the last layer must be a
// flat feature vector. With dual the network has a secondary encoder.
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

// place copies the parameters of an encoder to the range of one of the two encoders.
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

// Len returns the number of values of a state vector.
func (n *Network) Len() int { return n.params[len(n.params)-1].Range.End }

// Range returns the range of one part; the secondary part of a network with one encoder is empty.
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

// FirstLayer returns the range of the parameters of the primary encoder's first layer that has parameters. It is empty if the
// encoder has none.
func (n *Network) FirstLayer() Range {
	var first Range
	for _, p := range n.params {
		if p.Part != Primary || p.Buffer || p.layer() != n.params[0].layer() {
			break
		}
		first.End = p.Range.End
	}
	return first
}

// Params returns the named tensors in the order of the state vector.
func (n *Network) Params() []Param { return n.params }

// Features returns the number of features of one encoder.
func (n *Network) Features() int { return n.features }

// width returns the number of features that the head takes.
func (n *Network) width() int {
	if n.dual {
		return 2 * n.features
	}
	return n.features
}

// Classes returns the number of classes.
func (n *Network) Classes() int { return n.classes }

// Dual reports whether there is a secondary encoder.
func (n *Network) Dual() bool { return n.dual }

// Input returns the shape of an image, (C, H, W).
func (n *Network) Input() [3]int { return n.input }

// Buffers returns the range of the running statistics of one encoder; it is empty without batch norm.
func (n *Network) Buffers(p Part) Range {
	r := n.Range(p)
	if p == Head || r.Len() == 0 {
		return Range{r.End, r.End}
	}
	return Range{r.Begin + n.trained, r.End}
}

// Trained returns the ranges of the parameters of some parts, ascending. These are the values that SGD changes.
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

// Init sets the given parts of dst, which has Len values, to PyTorch's initial values: weights and biases of convolutions
// and linear layers are uniform in ±1/sqrt(fan-in); norms have scale 1, shift 0, mean 0 and variance 1. The random numbers
// come from r in the order of the parameters.
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
