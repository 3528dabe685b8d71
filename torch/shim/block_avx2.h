// The inner loops of block.cc. All arrays are channels-last; sizes are in floats. They are called only on processors with
// AVX2 and FMA.
#pragma once

#include <cstdint>

namespace fd {

struct BlockShape {
  int64_t images, in, out, kernel;
  int64_t height, width;    // size of the padded input
  int64_t pooled_h, pooled_w;
  int64_t row() const { return (kernel * in + 7) / 8 * 8; }  // one kernel row of all input channels, in whole vectors
  int64_t wide() const { return (out + 7) / 8 * 8; }         // output channels in whole vectors
};

// weight: [kernel, kernel, in, wide]; bias: [wide]. out has room for 8 floats past its end.
void block_forward_avx2(const BlockShape &s, const float *x, const float *weight, const float *bias, float *out,
                        uint8_t *which);

// Adds to weight_grad, [out, kernel, row], and bias_grad, [out]. x has room for a vector past its end.
void block_weight_grad_avx2(const BlockShape &s, const float *x, const float *grad, const uint8_t *which,
                            float *weight_grad, float *bias_grad);

// weight: [out, kernel, row], zero-padded. input_grad: [images, height, width, in] + 8 floats, zero on entry.
void block_input_grad_avx2(const BlockShape &s, const float *weight, const float *grad, const uint8_t *which,
                           float *input_grad);

}  // namespace fd
