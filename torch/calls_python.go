package torch

// Call is a layer of a trained network as a call of PyTorch: a function of torch.nn.functional, or of torch itself, with the
// names of its keyword arguments. The input of the layer is its first argument. A residual layer is not a function: it has
// the calls of its two branches, whose outputs are added.
type Call struct {
	Function string            `json:"function"`          // "conv2d", "flatten", "residual"
	Tensors  map[string]string `json:"tensors,omitempty"` // argument -> name of a tensor, without the prefix of the encoder
	Options  map[string]any    `json:"options,omitempty"` // argument -> value
	Body     []Call            `json:"body,omitempty"`
	Shortcut []Call            `json:"shortcut,omitempty"` // shortcut of a residual layer; none for the input itself
	Output   []int             `json:"output"`             // shape of the output for one image: channels, height, width, or features
}

// residualFunction is the Function of a residual layer.
const residualFunction = "residual"

// EncoderCalls returns the layers of an encoder as calls of PyTorch, for prediction. Dropout is left out, because it does
// nothing in prediction. The tensors have the names of [Network.Params] without "primary." or "secondary.".
func (n *Network) EncoderCalls() []Call {
	calls, _ := callsOf(n.layers, n.input)
	return calls
}

// HeadCall returns the linear head as a call of PyTorch. Its input is the concatenation of the features of the encoders,
// starting with the primary encoder.
func (n *Network) HeadCall() Call {
	return callOf(Linear{Name: "head", In: n.width(), Out: n.classes}, [3]int{n.width(), 1, 1}, true)
}

// callsOf returns layers as calls, and the shape of their output.
func callsOf(layers []Layer, in [3]int) ([]Call, [3]int) {
	calls := []Call{}
	flat := false
	for _, layer := range layers {
		switch layer.(type) {
		case Dropout:
			continue
		case Flatten:
			flat = true
		}
		calls = append(calls, callOf(layer, in, flat))
		in, _ = layer.output(in) // NewNetwork has checked it
	}
	return calls, in
}

// callOf returns a layer other than dropout as a call. flat says that its output has features and no height and width.
func callOf(layer Layer, in [3]int, flat bool) Call {
	c := Call{Options: map[string]any{}, Tensors: map[string]string{}}
	parameters := func(name string) {
		for _, p := range layer.tensors() {
			c.Tensors[p.Name[len(name)+1:]] = p.Name
		}
	}
	switch l := layer.(type) {
	case Conv2d:
		c.Function = "conv2d"
		parameters(l.Name)
		c.Options["stride"], c.Options["padding"] = l.Stride, l.Padding
	case ReLU:
		c.Function = "relu"
	case MaxPool2d:
		c.Function, c.Options["kernel_size"] = "max_pool2d", l.Size
	case AvgPool2d:
		c.Function, c.Options["kernel_size"] = "avg_pool2d", l.Size
	case Flatten:
		c.Function, c.Options["start_dim"] = "flatten", 1
	case Linear:
		c.Function = "linear"
		parameters(l.Name)
	case BatchNorm2d:
		c.Function, c.Options["eps"] = "batch_norm", normEps
		parameters(l.Name)
	case GroupNorm:
		c.Function, c.Options["num_groups"], c.Options["eps"] = "group_norm", l.Groups, normEps
		parameters(l.Name)
	case Residual:
		c.Function = residualFunction
		c.Body, _ = callsOf(l.Body, in)
		c.Shortcut, _ = callsOf(l.Shortcut, in)
	}
	out, _ := layer.output(in)
	c.Output = out[:]
	if flat {
		c.Output = out[:1]
	}
	return c
}
