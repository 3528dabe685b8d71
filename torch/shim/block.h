// Convolution, ReLU and 2x2 maximum as one block on the CPU. After the maximum at most one of four outputs of the
// convolution has a gradient; the backward pass visits only those, a quarter of the dense work.
#pragma once

#include <ATen/ATen.h>

#include "fd.h"

namespace fd {

// Whether the block's kernels can run on this processor, which needs x86-64 with AVX2 and FMA.
bool block_supported(const fd_layer &conv);

struct Block {
  at::Tensor x;      // the input [b, in, H, W], channels-last, padded by the convolution's padding
  at::Tensor which;  // uint8 [b, out, H', W'], channels-last: index of the maximum of four, or 4 if none is positive
  at::Tensor out;    // [b, out, H', W'], channels-last
};

// x: [b, in, H, W] in any layout; weight: [out, in, k, k]; bias: [out].
Block block_forward(const fd_layer &conv, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias);

// grad: [b, out, H', W']. Writes weight_grad and bias_grad, and returns the gradient of the input if it is wanted.
at::Tensor block_backward(const fd_layer &conv, const Block &kept, const at::Tensor &grad, const at::Tensor &weight,
                          at::Tensor weight_grad, at::Tensor bias_grad, bool want_input);

}  // namespace fd
