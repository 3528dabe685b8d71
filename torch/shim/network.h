// A network as a list of layers over one flat state vector, with the forward and backward pass of each layer written
// by hand: no autograd.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "fd.h"
#include "block.h"
#include "handles.h"

struct fd_network : fd::Counted {
  std::vector<fd_layer> layers;
  int64_t input[3];
  int64_t encoder_size, features, classes;
  bool dual;
  bool channels_last;  // how convolutions want their activations on the CPU

  int64_t encoder_begin(int part) const { return part == FD_SECONDARY ? encoder_size : 0; }
  int64_t head_begin() const { return encoder_size * (dual ? 2 : 1); }
  int64_t head_inputs() const { return features * (dual ? 2 : 1); }
  int64_t size() const { return head_begin() + classes * (head_inputs() + 1); }
};

namespace fd {

// Which random masks a training forward pass draws. Evaluation draws none.
struct Draw {
  uint64_t seed;
  int64_t step;
};

// One encoder at work on one state vector. weights and grads are flat; grads may be undefined where nothing is trained.
class EncoderPass {
 public:
  EncoderPass(const fd_network &network, int part, const at::Tensor &weights, const at::Tensor &grads, bool plain);
  at::Tensor evaluate(const at::Tensor &x);               // [b, C, H, W] -> [b, features]
  at::Tensor forward(const at::Tensor &x, const Draw &);  // the same, keeping what backward needs
  void backward(at::Tensor grad);                         // [b, features] -> gradients of the parameters, into grads

 private:
  struct Kept {
    at::Tensor a, b;  // what the layer's backward wants: input, output, mask or indices
    Block block{};    // of a convolution that runs as a block
  };
  at::Tensor run(at::Tensor x, const Draw *draw);
  at::Tensor weight(size_t layer) const;  // views
  at::Tensor bias(size_t layer) const;
  bool is_block(size_t layer) const;  // a convolution, a ReLU and a 2x2 maximum, run by one kernel

  const fd_network &network_;
  const char *name_;
  at::Tensor weights_, grads_;  // this encoder's range
  bool plain_;
  std::vector<Kept> kept_;
};

// The linear classifier on the encoders' features side by side.
class HeadPass {
 public:
  HeadPass(const fd_network &network, const at::Tensor &weights, const at::Tensor &grads);
  at::Tensor forward(const at::Tensor &features) const;  // [b, F or 2F] -> logits [b, classes]
  void backward(const at::Tensor &grad, const at::Tensor &features);
  // The gradient of an encoder's features: [b, classes] -> [b, F].
  at::Tensor to_features(const at::Tensor &grad, int part) const;

 private:
  const fd_network &network_;
  at::Tensor weight_, bias_, weight_grad_, bias_grad_;
};

}  // namespace fd
