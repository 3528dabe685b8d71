// Convolutions of stacked clients on the tensor cores of a GPU (kernel_gemm_*.h): blocks with bias, ReLU and 2x2 maximum, or
// convolutions alone without bias.
#pragma once

#include "stack.h"

namespace fd {

// Whether the kernels can compute a layer, with ReLU and maximum if block is true, for x. On a GPU they need compute capability
// 8.0, enough shared memory, a precision of tf32 or bf16, and kernels for the shapes of layers. On the CPU only fibers can run
// them.
bool gemm_possible(const fd_layer &l, bool block, const Stack &s, const at::Tensor &x, bool wants_input);

// For x [A, B, in, H, W] and a layer of the encoder that begins at begin: writes out and which, [A, B, out, H'/2, W'/2], or alone
// out, [A, B, out, H', W']. A convolution is alone if which is not defined.
void gemm_forward(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &out,
                  const at::Tensor &which);
// Writes the gradient of the weights, and that of x to x_grad if it is defined, plus onto, if that is. grad is the gradient of out.
// With which, it is contiguous; alone, its planes are, like those of onto.
void gemm_back(const fd_layer &l, const Stack &s, int64_t begin, const at::Tensor &x, const at::Tensor &grad,
               const at::Tensor &which, const at::Tensor &x_grad, const at::Tensor &onto);

}  // namespace fd
