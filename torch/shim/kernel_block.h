// Convolution, bias, ReLU and 2x2 maximum as one, for few input channels. After the maximum at most one of four outputs
// of the convolution has a gradient: the backward pass visits only those, a quarter of the dense work.
#pragma once

#include "kernel_code.h"
#include "kernel_pool.h"

namespace fd {

struct ConvBlock {
  View x;               // [clients, samples, in, height width]
  View x_grad;          // like x, written by block_input_back
  const float *weight;  // [clients, out, in, kernel, kernel]
  const float *bias;    // [clients, out]
  i64 client;           // stride of both
  void *pooled;         // [clients, samples, out, pooled_h pooled_w]; in the backward pass its gradient
  u8 *which;            // like pooled: index of the maximum of four, or kNothing
  float *partial;       // [clients, groups, out, in kernel kernel]: the weights' gradients from a group of samples
  int samples, in, out, height, width, padding, pooled_h, pooled_w;
  int together;  // number of samples of a group; a block has one group
};

constexpr int kOutputs = 8;  // number of output channels that are computed at once

FD_DEVICE int groups_of(const ConvBlock &a) { return (a.samples + a.together - 1) / a.together; }
FD_DEVICE int padded_plane(const ConvBlock &a) { return (a.height + 2 * a.padding) * (a.width + 2 * a.padding); }

// Copies a sample to shared memory, with zeros around it.
template <typename T>
FD_DEVICE void stage(const ConvBlock &a, i64 client, i64 sample, float *to) {
  int width = a.width + 2 * a.padding, plane = padded_plane(a);
  FD_EACH(i, a.in * plane) {
    int y = i % plane / width - a.padding, z = i % plane % width - a.padding;
    bool inside = y >= 0 && y < a.height && z >= 0 && z < a.width;
    to[i] = inside ? get(at_plane<T>(a.x, client, sample, i / plane) + y * a.width + z) : 0.0f;
  }
}

// Shared memory: [in k k, out in whole kOutputs] and the samples. A block is a group of samples of a client.
template <typename T, int k>
FD_DEVICE void block_ahead(const ConvBlock &a, i64 block, float *shared) {
  i64 client = quotient(block, groups_of(a));
  int first = remainder_of(block, groups_of(a)) * a.together;
  int samples = a.samples - first < a.together ? a.samples - first : a.together;
  int wide = (a.out + kOutputs - 1) / kOutputs * kOutputs, taps = a.in * k * k;
  int width = a.width + 2 * a.padding, plane = padded_plane(a), area = a.pooled_h * a.pooled_w;
  float *x = shared + taps * wide;
  const float *weight = a.weight + client * a.client, *bias = a.bias + client * a.client;
  FD_EACH(i, taps * wide) {
    int o = i % wide;
    shared[i] = o < a.out ? weight[o * taps + i / wide] : 0.0f;
  }
  for (int n = 0; n < samples; n++) stage<T>(a, client, first + n, x + n * a.in * plane);
  FD_SYNC;
  FD_EACH(i, samples * wide / kOutputs * area) {
    int p = i % area, o = i / area * kOutputs % wide, n = i / area * kOutputs / wide;
    const float *from = x + n * a.in * plane + p / a.pooled_w * 2 * width + p % a.pooled_w * 2;
    float sum[4][kOutputs];
    for (int v = 0; v < kOutputs; v++)
      for (int q = 0; q < 4; q++) sum[q][v] = o + v < a.out ? bias[o + v] : 0.0f;
    for (int c = 0; c < a.in; c++)
      for (int ky = 0; ky < k; ky++) {
        const float *above = from + c * plane + ky * width, *below = above + width;
        const float *w = shared + (c * k + ky) * k * wide + o;
        for (int kx = 0; kx < k; kx++)
          for (int v = 0; v < kOutputs; v++) {
            float tap = w[kx * wide + v];
            sum[0][v] += above[kx] * tap;
            sum[1][v] += above[kx + 1] * tap;
            sum[2][v] += below[kx] * tap;
            sum[3][v] += below[kx + 1] * tap;
          }
      }
    for (int v = 0; v < kOutputs && o + v < a.out; v++) {
      float most = sum[0][v];
      int where = 0;
      for (int q = 1; q < 4; q++)
        if (sum[q][v] > most || sum[q][v] != sum[q][v]) {  // a NaN is the maximum, as in PyTorch
          most = sum[q][v];
          where = q;
        }
      i64 e = ((client * a.samples + first + n) * a.out + o + v) * area + p;
      put(static_cast<T *>(a.pooled) + e, most < 0 ? 0.0f : most);
      a.which[e] = most <= 0 ? kNothing : static_cast<u8>(where);
    }
  }
}

// Shared memory: [kOutputs, in k k] sums, one sample, [kOutputs, pooled] gradients and where they belong.
// A block is a group of samples and kOutputs channels of the output of a client.
template <typename T, int k>
FD_DEVICE void block_weight_back(const ConvBlock &a, i64 block, float *shared) {
  int chunks = (a.out + kOutputs - 1) / kOutputs, o = remainder_of(block, chunks) * kOutputs;
  i64 group = quotient(block, chunks), client = quotient(group, groups_of(a));
  int first = remainder_of(group, groups_of(a)) * a.together;
  int samples = a.samples - first < a.together ? a.samples - first : a.together;
  int width = a.width + 2 * a.padding, plane = padded_plane(a), area = a.pooled_h * a.pooled_w, taps = a.in * k * k;
  float *sums = shared, *x = sums + kOutputs * taps, *value = x + a.in * plane;
  int *where = reinterpret_cast<int *>(value + kOutputs * area);
  FD_EACH(i, kOutputs * taps) sums[i] = 0;
  for (int n = 0; n < samples; n++) {
    FD_SYNC;  // the sample before has been used
    stage<T>(a, client, first + n, x);
    FD_EACH(i, kOutputs * area) {
      i64 e = ((client * a.samples + first + n) * a.out + o) * area + i;
      u8 which = o + i / area < a.out ? a.which[e] : kNothing;
      int p = i % area;
      where[i] = -1;
      if (which == kNothing) continue;
      where[i] = (p / a.pooled_w * 2 + which / 2) * width + p % a.pooled_w * 2 + which % 2;
      value[i] = get(static_cast<const T *>(a.pooled) + e);
    }
    FD_SYNC;
    FD_EACH(i, kOutputs * taps) {
      int tap = i % taps, from = i / taps * area;
      const float *window = x + tap / (k * k) * plane + tap % (k * k) / k * width + tap % k;
      float sum = 0;
      for (int p = from; p < from + area; p++)
        if (where[p] >= 0) sum += value[p] * window[where[p]];
      sums[i] += sum;
    }
  }
  float *out = a.partial + (group * a.out + o) * taps;
  FD_EACH(i, kOutputs * taps) if (o + i / taps < a.out) out[i] = sums[i];
}

// Shared memory: [out, in k k] weights, [out, pooled] gradients and which of the four they belong to.
// A block is a sample of a client.
template <typename T, int k>
FD_DEVICE void block_input_back(const ConvBlock &a, i64 block, float *shared) {
  i64 client = quotient(block, a.samples), sample = block - client * a.samples;
  int area = a.pooled_h * a.pooled_w, taps = a.in * k * k;
  float *weights = shared, *value = weights + a.out * taps;
  int *which = reinterpret_cast<int *>(value + a.out * area);
  FD_EACH(i, a.out * taps) weights[i] = a.weight[client * a.client + i];
  FD_EACH(i, a.out * area) {
    i64 e = block * a.out * area + i;
    which[i] = a.which[e];
    value[i] = get(static_cast<const T *>(a.pooled) + e);
  }
  FD_SYNC;
  FD_EACH(i, a.in * a.height * a.width) {
    int c = i / (a.height * a.width), p = i % (a.height * a.width);
    int y = p / a.width + a.padding, z = p % a.width + a.padding;
    int top = y < k ? 0 : (y - k + 1) / 2, left = z < k ? 0 : (z - k + 1) / 2;
    float sum = 0;
    for (int o = 0; o < a.out; o++)
      for (int py = top; py <= y / 2 && py < a.pooled_h; py++)
        for (int pz = left; pz <= z / 2 && pz < a.pooled_w; pz++) {
          int at = o * area + py * a.pooled_w + pz, w = which[at];
          int ky = y - 2 * py - w / 2, kx = z - 2 * pz - w % 2;
          if (w == kNothing || ky < 0 || ky >= k || kx < 0 || kx >= k) continue;
          sum += value[at] * weights[o * taps + (c * k + ky) * k + kx];
        }
    put(at_plane<T>(a.x_grad, client, sample, c) + p, sum);
  }
}

#define FD_BLOCK(k)                                                                                                   \
  template <typename T> FD_DEVICE void block_ahead_##k(const ConvBlock &a, i64 b, float *s) { block_ahead<T, k>(a, b, s); } \
  template <typename T> FD_DEVICE void block_weight_back_##k(const ConvBlock &a, i64 b, float *s) {                    \
    block_weight_back<T, k>(a, b, s);                                                                                 \
  }                                                                                                                   \
  template <typename T> FD_DEVICE void block_input_back_##k(const ConvBlock &a, i64 b, float *s) {                     \
    block_input_back<T, k>(a, b, s);                                                                                  \
  }                                                                                                                   \
  FD_KERNELS(block_ahead_##k, ConvBlock)                                                                               \
  FD_KERNELS(block_weight_back_##k, ConvBlock)                                                                         \
  FD_KERNELS(block_input_back_##k, ConvBlock)
FD_BLOCK(3)
FD_BLOCK(5)

}  // namespace fd
