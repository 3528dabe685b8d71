// What the engine computes outside ATen's operators: fused CPU kernels, and beside each the same thing in ATen
// operators for other devices (and for tests that hold the two together).
#pragma once

#include <ATen/ATen.h>

#include "fd.h"
#include "handles.h"

namespace fd {

// Indices from the caller as int64 [n] on the host.
at::Tensor host_rows(const int32_t *values, int64_t n);
// Throws unless every index lies in 0..limit-1.
void check_rows(const int32_t *rows, int64_t n, int64_t limit, const char *what);

// Normalised images of the samples at rows (int64 [b], on the host) as float32 [b, C, H, W].
at::Tensor gather_images(const fd_images &images, const at::Tensor &rows, bool plain);

// max(0, 2x2 maximum), and which of the four it was (0..3 in scan order, 4 where nothing was positive).
struct Pooled {
  at::Tensor out;    // [b, C, H/2, W/2], channels-last
  at::Tensor which;  // uint8, alike
};
Pooled relu_pool2(const at::Tensor &x);  // x: [b, C, H, W]

// One step of SGD on the range [begin, end): g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
struct State {
  at::Tensor weights, grads, momentum;  // flat, [size]
  double mu = 0;
  at::Tensor anchor;  // flat; read only when mu > 0
};
void sgd_step(const State &state, const fd_sgd &sgd, int64_t begin, int64_t end);

// 0 or 1/(1-p) for each activation in the order of shape, a matter of (seed, step, layer) and its number alone.
at::Tensor dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, at::IntArrayRef shape,
                        const at::Device &device);

}  // namespace fd
