// A network as a list of layers over one flat state vector.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "fd.h"
#include "handles.h"

namespace fd {

// A layer and its context.
struct Step {
  size_t layer = 0;                  // index into the network's layers
  bool wants_input = false;          // whether an earlier layer has parameters, so that the gradient of the input is needed
  bool block = false;                // a convolution followed by a ReLU and a 2x2 maximum
  bool norm_relu = false;            // a norm followed by a ReLU
  bool sum_relu = false;             // FD_RESIDUAL whose body ends with a norm, followed by a ReLU
  bool relu_sum = false;             // FD_RESIDUAL whose body ends with a norm and a ReLU
  std::vector<Step> body, shortcut;  // layers of FD_RESIDUAL
};

// Selects the random masks of a forward pass in training. Evaluation has none.
struct Draw {
  uint64_t seed;
  int64_t step;
};

}  // namespace fd

struct fd_network : fd::Counted {
  std::vector<fd_layer> layers;
  std::vector<fd::Step> steps;
  int64_t input[3];
  int64_t encoder_size;     // number of values of an encoder
  int64_t encoder_trained;  // number of these values that are parameters; the others are buffers
  int64_t features, classes;
  bool dual;
  bool channels_last;  // layout of the activations of convolutions on the CPU

  std::vector<int> encoders() const { return dual ? std::vector<int>{FD_PRIMARY, FD_SECONDARY} : std::vector<int>{FD_PRIMARY}; }
  int64_t encoder_begin(int part) const { return part == FD_SECONDARY ? encoder_size : 0; }
  int64_t head_begin() const { return encoder_size * (dual ? 2 : 1); }
  int64_t head_inputs() const { return features * (dual ? 2 : 1); }
  // The values of an encoder in a model's vector, a view.
  at::Tensor encoder_of(int part, const at::Tensor &model) const {
    return model.slice(0, encoder_begin(part), encoder_begin(part) + encoder_size);
  }
  int64_t size() const { return head_begin() + classes * (head_inputs() + 1); }
};

namespace fd {

constexpr double kNormEps = 1e-5, kNormMomentum = 0.1;  // PyTorch's defaults

// The tensor at an offset of a flat vector, a view.
at::Tensor shaped(const at::Tensor &flat, int64_t begin, at::IntArrayRef shape);
// A layer's weight, [out, in, k, k] or [out, in].
at::Tensor weight_of(const fd_layer &layer, const at::Tensor &encoder);
// A layer's bias [out], or no tensor.
at::Tensor bias_of(const fd_layer &layer, const at::Tensor &encoder);

// The ranges of the state vector that SGD changes when some parts are trained.
std::vector<std::pair<int64_t, int64_t>> trained_ranges(const fd_network &network, int parts);

}  // namespace fd
