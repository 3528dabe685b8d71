// Package models declares the encoders as lists of layers, one file each.
package models

import (
	"fmt"
	"slices"
	"strings"

	"feddag/torch"
)

// Options vary a model without changing its contract: an encoder maps images to a feature vector.
type Options struct {
	Dropout float64 // probability after each hidden linear layer, or before the head where there is none; 0 is none
	Norm    string  // of the ResNets: "batch" (also ""), "group"
}

// An Encoder declares a model's layers for an input shape (C, H, W), or says why it cannot.
type Encoder func(input [3]int, o Options) ([]torch.Layer, error)

var encoders = map[string]Encoder{}

// Register makes an encoder known by name. Each model's file calls it from init.
func Register(name string, e Encoder) { encoders[name] = e }

// Names lists the models.
func Names() []string {
	var names []string
	for name := range encoders {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New builds the named model's network: one encoder, or two (dual), and a linear head of classes outputs.
func New(name string, input [3]int, classes int, dual bool, o Options) (*torch.Network, error) {
	encoder, ok := encoders[name]
	if !ok {
		return nil, fmt.Errorf("model %q is unknown; there are %s", name, strings.Join(Names(), ", "))
	}
	if !slices.Contains([]string{"", "batch", "group"}, o.Norm) {
		return nil, fmt.Errorf("norm %q is unknown; there are batch, group", o.Norm)
	}
	layers, err := encoder(input, o)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	net, err := torch.NewNetwork(layers, input, classes, dual)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return net, nil
}

// wants says that a model is made for one input shape alone.
func wants(input, want [3]int) error {
	if input != want {
		return fmt.Errorf("takes images of %dx%dx%d (channels x height x width), these are %dx%dx%d",
			want[0], want[1], want[2], input[0], input[1], input[2])
	}
	return nil
}

// withDropout puts a dropout layer after every ReLU that follows a linear layer; p = 0 changes nothing.
func withDropout(layers []torch.Layer, p float64) []torch.Layer {
	if p == 0 {
		return layers
	}
	var out []torch.Layer
	for i, l := range layers {
		out = append(out, l)
		if i == 0 {
			continue
		}
		_, relu := l.(torch.ReLU)
		if _, linear := layers[i-1].(torch.Linear); relu && linear {
			out = append(out, torch.Dropout{P: p})
		}
	}
	return out
}
