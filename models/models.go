// Package models declares the encoders as lists of layers, one file per model. A new model is one file, with an init that
// registers it.
package models

import (
	"fmt"
	"slices"
	"strings"

	"feddag/torch"
)

// Options vary a model without changing its contract: an encoder maps images to a feature vector.
type Options struct {
	Dropout float64 // probability of dropout after each hidden linear layer, or before the head if there is no such layer; 0 for no dropout
	Norm    string  // norm of the ResNets: "batch" (also "") or "group"
}

// The names of the options on the command line.
const (
	FlagDropout = "dropout"
	FlagNorm    = "norm"
)

// Flags lists the names of all options.
func Flags() []string { return []string{FlagDropout, FlagNorm} }

// Readers lists the models that read an option.
func Readers(flag string) []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return !slices.Contains(models[name].Flags, flag) })
}

// Images returns a description of the images that a model accepts, or "" if there is no model with this name.
func Images(name string) string { return models[name].Images }

// DefaultNames lists the models that may be used if no model is named.
func DefaultNames() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return len(models[name].Default) == 0 && !models[name].Fallback })
}

// Model declares an encoder.
type Model struct {
	// Images describes the images that the model accepts, in words that follow "takes".
	Images string
	// Takes reports whether the model accepts images of a shape (C, H, W).
	Takes func(input [3]int) bool
	// Flags are the names of the options that the model reads: FlagDropout, FlagNorm.
	Flags []string
	// Layers returns the layers for a shape that the model accepts, with the options that Flags names.
	Layers func(input [3]int, o Options) []torch.Layer
	// Default lists the shapes for which the model is used if no model is named. A shape has at most one such model.
	Default [][3]int
	// Fallback makes the model the default for every other shape that it accepts. At most one model has it.
	Fallback bool
}

var models = map[string]Model{}

// Register adds a model under a name. Each model's file calls it from init. It panics if another model has the same name,
// default shape or fallback.
func Register(name string, m Model) {
	for other, have := range models {
		clash := other == name || m.Fallback && have.Fallback ||
			slices.ContainsFunc(m.Default, func(shape [3]int) bool { return slices.Contains(have.Default, shape) })
		if clash {
			panic(fmt.Sprintf("models: %s and %s have the same name, default shape or fallback", name, other))
		}
	}
	models[name] = m
}

// Names lists the models.
func Names() []string {
	var names []string
	for name := range models {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// taking lists the models that accept images of a shape.
func taking(input [3]int) []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return !models[name].Takes(input) })
}

// Default returns the model for images of a shape (C, H, W) if no model is named: the model that has the shape as a default,
// or else the fallback, or else the first model by name that accepts the shape.
func Default(input [3]int) (string, error) {
	names := taking(input)
	for _, name := range names {
		if slices.Contains(models[name].Default, input) {
			return name, nil
		}
	}
	for _, name := range names {
		if models[name].Fallback {
			return name, nil
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no model takes images of %s: %s", text(input), instead(input))
	}
	return names[0], nil
}

// Defaults describes which model is used if no model is named.
func Defaults() string {
	var claims []string
	rest := ""
	for _, name := range Names() {
		for _, shape := range models[name].Default {
			claims = append(claims, fmt.Sprintf("%s for images of %s", name, text(shape)))
		}
		if models[name].Fallback {
			rest = ", " + name + " for other shapes that it takes"
		}
	}
	return strings.Join(claims, ", ") + rest
}

// Input returns a shape that a model accepts: the first shape for which it is the default, or else 3x32x32 or 1x28x28.
func Input(name string) ([3]int, error) {
	m, err := lookup(name)
	if err != nil {
		return [3]int{}, err
	}
	for _, shape := range append(slices.Clone(m.Default), [3]int{3, 32, 32}, [3]int{1, 28, 28}) {
		if m.Takes(shape) {
			return shape, nil
		}
	}
	return [3]int{}, fmt.Errorf("model %s takes %s: name one of them as its default", name, m.Images)
}

func lookup(name string) (Model, error) {
	m, ok := models[name]
	if !ok {
		return m, fmt.Errorf("model %q is unknown; there are %s", name, strings.Join(Names(), ", "))
	}
	return m, nil
}

// New builds the named model's network: one encoder, or two if dual is set, and a linear head with one output per class.
func New(name string, input [3]int, classes int, dual bool, o Options) (*torch.Network, error) {
	m, err := lookup(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", "batch", "group"}, o.Norm) {
		return nil, fmt.Errorf("norm %q is unknown; there are batch, group", o.Norm)
	}
	if !m.Takes(input) {
		return nil, fmt.Errorf("model %s takes %s, but these are %s (channels x height x width): %s", name, m.Images, text(input), instead(input))
	}
	net, err := torch.NewNetwork(m.Layers(input, o), input, classes, dual)
	if err != nil {
		return nil, fmt.Errorf("model %s for images of %s: %w", name, text(input), err)
	}
	return net, nil
}

// instead returns advice for images of a shape that a model does not accept.
func instead(input [3]int) string {
	resize := "resize them if the data set can (--dataset-option size=32)"
	if names := taking(input); len(names) > 0 {
		return "use --model " + strings.Join(names, " or ") + ", or " + resize
	}
	return resize
}

// text returns a shape for messages, such as 3x32x32.
func text(input [3]int) string { return fmt.Sprintf("%dx%dx%d", input[0], input[1], input[2]) }

// atLeast returns a function that accepts images of one or three channels with at least side pixels per side.
func atLeast(side int) func(input [3]int) bool {
	return func(input [3]int) bool {
		return (input[0] == 1 || input[0] == 3) && min(input[1], input[2]) >= side
	}
}

// padding returns the padding of the convolutions of a model that was designed for images of 32x32. It is 0 for images of at
// least this size, and keeps the size of smaller images.
func padding(input [3]int, kernel int) int {
	if min(input[1], input[2]) >= 32 {
		return 0
	}
	return kernel / 2
}

// withDropout adds a dropout layer after every ReLU that follows a linear layer. It changes nothing if p is 0.
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
