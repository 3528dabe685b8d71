// Convolutions of stacked clients, alone or with the following ReLU and 2x2 maximum.
#pragma once

#include "stack.h"

namespace fd {

// Activations are [A, B, C, H, W]. Clients, samples and channels may be in any memory order that a convolution produces; only
// the planes are contiguous. The next layers accept any order, so nothing is copied to change it.

class StackedConv {
 public:
  // encoder_begin: offset of the encoder in the clients' vectors.
  StackedConv(const fd_layer &layer, bool block, const Stack &stack, int64_t encoder_begin)
      : l_(layer), block_(block), s_(stack), begin_(encoder_begin) {}

  // x [A, B, in, H, W] -> [A, B, out, H', W'], or [A, B, out, H'/2, W'/2] for a block. keep: a backward pass will follow.
  at::Tensor ahead(const at::Tensor &x, bool keep, bool wants_input);
  // Writes the gradients of weight and bias; returns the gradient of x if it is wanted. If onto is defined, it is added to it.
  at::Tensor back(const at::Tensor &grad, bool wants_input, const at::Tensor &onto);

 private:
  at::Tensor run(ConvMethod method, const at::Tensor &x);
  at::Tensor run_back(ConvMethod method, const at::Tensor &grad, bool wants_input);
  at::Tensor conv(ConvMethod method, const at::Tensor &x);  // without the bias
  at::Tensor conv_back(ConvMethod method, const at::Tensor &grad, bool wants_input);
  at::Tensor fused(const at::Tensor &x);
  at::Tensor fused_back(const at::Tensor &grad, bool wants_input);
  at::Tensor gemm(const at::Tensor &x);
  at::Tensor gemm_back(const at::Tensor &grad, bool wants_input, const at::Tensor &onto);
  void bias_back(const at::Tensor &grad) const;  // grad: contiguous, of the maxima
  // Throws unless the tensor cores give what a convolution per client gives, except for rounding. y is what they gave for x, and
  // x_grad what they gave in the backward pass for a gradient of y.
  void confirm(const at::Tensor &x, const at::Tensor &y, const at::Tensor &x_grad, bool keep);
  std::vector<ConvMethod> candidates(const at::Tensor &x, bool wants_input) const;
  at::Tensor weight() const;  // [A, out, in, k, k] in the activations' type
  at::Tensor weight_grad() const;

  const fd_layer &l_;
  bool block_;
  const Stack &s_;
  int64_t begin_;
  ConvMethod method_ = ConvMethod::kChoose;
  at::Tensor x_, input_, y_, out_, which_;  // input, input as the method needs it, output before and after the maximum
};

}  // namespace fd
