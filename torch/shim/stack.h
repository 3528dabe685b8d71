// A stack of clients at one step: the vectors of the clients with steps left, and views of their layers.
#pragma once

#include <ATen/ATen.h>

#include "conv_methods.h"
#include "kernel_batch.h"
#include "launch.h"
#include "network.h"

namespace fd {

// The values of each client are contiguous, [K, stride]. Starting and ending a client is then a copy of a row, the clients in
// training are the first rows, SGD is one kernel over them, and a batched product can use a layer of all clients without a
// copy. The stride is a multiple of 128 bytes, so that the layers of every client have the same alignment.
constexpr int64_t kRowAlignment = 32;
inline int64_t row_stride(int64_t size) { return (size + kRowAlignment - 1) / kRowAlignment * kRowAlignment; }

struct Stack {
  at::Tensor weights;  // float32 [A, stride]
  at::Tensor compute;  // the same in the type of the activations
  at::Tensor grads;    // float32 [A, stride], or undefined in evaluation
  Batch batch;         // on the device
  const u64 *seeds;    // seeds of dropout, [A] on the device
  ConvMethods *methods;
  int64_t begin = 0;   // position in a client's vector of the first value in weights, compute and grads

  int64_t clients() const { return weights.size(0); }
  int64_t samples() const { return batch.samples; }
  at::Device device() const { return weights.device(); }
  // The kernel for the layer's shape in args.
  template <typename Args>
  Kernel shaped(Kernel kernel, const Args &args) const {
    if (methods->shapes) kernel.constants = constants_of(args);
    return kernel;
  }
};

// Every client's tensor at an offset of its vector, [A, shape], a view.
inline at::Tensor stacked(const at::Tensor &vectors, int64_t begin, std::vector<int64_t> shape) {
  std::vector<int64_t> strides(shape.size() + 1, 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i] = strides[i + 1] * shape[i];
  strides[0] = vectors.stride(0);
  shape.insert(shape.begin(), vectors.size(0));
  return vectors.as_strided(shape, strides, vectors.storage_offset() + begin);
}

// Writes the products a b, or their sum over dims, into the clients' gradients, whose type may be wider.
inline void keep_product(at::Tensor grads, const at::Tensor &a, const at::Tensor &b) {
  if (grads.scalar_type() == a.scalar_type()) at::bmm_out(grads, a, b);
  else grads.copy_(at::bmm(a, b));
}
inline void keep_sum(at::Tensor grads, const at::Tensor &g, at::IntArrayRef dims) {
  at::sum_out(grads, g, dims, /*keepdim=*/false, at::kFloat);
}

}  // namespace fd
