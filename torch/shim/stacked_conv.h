// Convolutions of stacked clients, alone and with the ReLU and the 2x2 maximum behind them.
#pragma once

#include "stack.h"

namespace fd {

// Activations are [A, B, C, H, W] in whatever order of clients, samples and channels a convolution leaves them; only the
// planes lie in one piece. What comes next takes any order, so nothing is copied to change it.

class StackedConv {
 public:
  // encoder_begin: where the encoder lies in the clients' vectors.
  StackedConv(const fd_layer &layer, bool block, const Stack &stack, int64_t encoder_begin)
      : l_(layer), block_(block), s_(stack), begin_(encoder_begin) {}

  // x [A, B, in, H, W] -> [A, B, out, H', W'], of a block [A, B, out, H'/2, W'/2]. keep: backward will follow.
  at::Tensor ahead(const at::Tensor &x, bool keep, bool wants_input);
  // Writes the gradients of weight and bias; returns the gradient of x if it is wanted.
  at::Tensor back(const at::Tensor &grad, bool wants_input);

 private:
  at::Tensor run(ConvMethod method, const at::Tensor &x);
  at::Tensor run_back(ConvMethod method, const at::Tensor &grad, bool wants_input);
  at::Tensor conv(ConvMethod method, const at::Tensor &x);  // without the bias
  at::Tensor conv_back(ConvMethod method, const at::Tensor &grad, bool wants_input);
  at::Tensor fused(const at::Tensor &x);
  at::Tensor fused_back(const at::Tensor &grad, bool wants_input);
  std::vector<ConvMethod> candidates(const at::Tensor &x, bool wants_input) const;
  at::Tensor weight() const;  // [A, out, in, k, k] in the activations' type
  at::Tensor weight_grad() const;

  const fd_layer &l_;
  bool block_;
  const Stack &s_;
  int64_t begin_;
  ConvMethod method_ = ConvMethod::kChoose;
  at::Tensor x_, input_, y_, out_, which_;  // the input, and as the method wants it; the output before and after the maximum
};

}  // namespace fd
