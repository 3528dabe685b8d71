// Operations of the engine that are not single ATen operators: fused CPU kernels, each with an equivalent in ATen operators
// for other devices and for tests that compare the two.
#pragma once

#include <ATen/ATen.h>

#include "fd.h"
#include "handles.h"

namespace fd {

// The caller's indices as int64 [n] on the host.
at::Tensor host_rows(const int32_t *values, int64_t n);
// Throws unless every index is in 0..limit-1.
void check_rows(const int32_t *rows, int64_t n, int64_t limit, const char *what);

// Normalised images of the samples at rows (int64 [b], on the host) as float32 [b, C, H, W].
at::Tensor gather_images(const fd_images &images, const at::Tensor &rows, bool plain);

// max(0, 2x2 maximum), and its index among the four (0..3 in scan order, 4 if nothing was positive).
struct Pooled {
  at::Tensor out;    // [b, C, H/2, W/2], channels-last
  at::Tensor which;  // uint8, like out
};
Pooled relu_pool2(const at::Tensor &x);  // x: [b, C, H, W]

// One step of SGD on the range [begin, end): g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
struct State {
  at::Tensor weights, grads, momentum;  // flat, [size]
  at::Tensor second;  // second moment of Adam, flat, [size]; undefined with SGD
  int64_t steps = 0;  // steps of Adam, including the current one
  double mu = 0;
  at::Tensor anchor;  // flat; read only when mu > 0
};
void sgd_step(const State &state, const fd_sgd &sgd, int64_t begin, int64_t end);

// One step of Adam (Kingma, Ba 2015) or AdamW (Loshchilov, Hutter 2019) on the range [begin, end), as PyTorch's:
//   g += wd w with Adam, w *= 1 - lr wd with AdamW;  g += mu (w - anchor), with the w of the gradient
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2, in momentum and second
//   w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon) in step t = 1, 2, ...
void adam_step(const State &state, const fd_sgd &sgd, int64_t begin, int64_t end);

// 0 or 1/(1-p) for each activation in the order of shape, which depends only on (seed, step, layer) and its index.
at::Tensor dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, at::IntArrayRef shape,
                        const at::Device &device);

}  // namespace fd
