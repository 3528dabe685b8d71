// Maximum over windows, alone or with the bias and the ReLU in front of it.
#pragma once

#include "kernel_code.h"

namespace fd {

constexpr u8 kNothing = 255;  // no value of a window is positive: the ReLU lets no gradient through

struct Pool {
  View x;             // [clients, samples, channels, height width]; in the backward pass its gradient
  void *out;          // [clients, samples, channels, out_height out_width]; in the backward pass its gradient
  u8 *which;          // like out: the position of the maximum in its window, in scan order, or kNothing
  const float *bias;  // [clients, channels], or null: no bias and no ReLU
  i64 bias_client;    // stride of bias
  float *bias_grad;   // like bias; its stride is bias_client too
  int clients, samples, channels, height, width, size, out_height, out_width;
};

// A block is a chunk of out. Of equal values the first wins; a window with a NaN has NaN as its
// maximum, as in PyTorch.
template <typename T>
FD_DEVICE void pool(const Pool &a, i64 block, float *) {
  int plane = a.out_height * a.out_width;
  i64 n = static_cast<i64>(a.clients) * a.samples * a.channels * plane;
  i64 begin = chunk_begin(block), first = begin / plane;
  int rest = static_cast<int>(begin % plane);
  FD_EACH(i, chunk_size(block, n)) {
    int p = rest + i, more = p / plane;
    p -= more * plane;
    i64 e = begin + i, k = first + more;
    int of_all = quotient(k, a.channels), channel = remainder_of(k, a.channels);
    int client = of_all / a.samples, sample = of_all % a.samples;
    const T *x = at_plane<T>(a.x, client, sample, channel) + p / a.out_width * a.size * a.width + p % a.out_width * a.size;
    float most = get(x);
    int where = 0;
    for (int y = 0; y < a.size; y++)
      for (int z = 0; z < a.size; z++) {
        float v = get(x + y * a.width + z);
        if (v > most || v != v) {
          most = v;
          where = y * a.size + z;
        }
      }
    if (a.bias != nullptr) {
      most += a.bias[client * a.bias_client + channel];
      if (most <= 0) where = kNothing;
      if (most < 0) most = 0;
    }
    put(static_cast<T *>(a.out) + e, most);
    a.which[e] = static_cast<u8>(where);
  }
}
FD_KERNELS(pool, Pool)

// A block is a chunk of x, which is written.
template <typename T>
FD_DEVICE void pool_back(const Pool &a, i64 block, float *) {
  int plane = a.height * a.width, out_plane = a.out_height * a.out_width;
  i64 n = static_cast<i64>(a.clients) * a.samples * a.channels * plane;
  i64 begin = chunk_begin(block), first = begin / plane;
  int rest = static_cast<int>(begin % plane);
  FD_EACH(i, chunk_size(block, n)) {
    int p = rest + i, more = p / plane;
    p -= more * plane;
    int y = p / a.width, z = p - y * a.width;
    i64 k = first + more;
    int of_all = quotient(k, a.channels), channel = remainder_of(k, a.channels);
    int client = of_all / a.samples, sample = of_all % a.samples;
    int oy = y / a.size, oz = z / a.size;
    float g = 0;
    if (oy < a.out_height && oz < a.out_width) {
      i64 o = k * out_plane + oy * a.out_width + oz;
      if (a.which[o] == (y - oy * a.size) * a.size + z - oz * a.size) g = get(static_cast<const T *>(a.out) + o);
    }
    put(at_plane<T>(a.x, client, sample, channel) + p, g);
  }
}
FD_KERNELS(pool_back, Pool)

// A block is a channel of a client: its bias_grad, the sum of the gradients that pass the ReLU.
template <typename T>
FD_DEVICE void pool_bias_back(const Pool &a, i64 block, float *partial) {
  int plane = a.out_height * a.out_width, n = a.samples * plane;
  i64 client = quotient(block, a.channels), channel = block - client * a.channels;
  FD_EACH(t, kThreads) {
    float sum = 0;
    for (int e = t; e < n; e += kThreads) {
      i64 o = ((client * a.samples + e / plane) * a.channels + channel) * plane + e % plane;
      if (a.which[o] != kNothing) sum += get(static_cast<const T *>(a.out) + o);
    }
    partial[t] = sum;
  }
  add_up(partial);
  FD_EACH(t, 1) a.bias_grad[client * a.bias_client + channel] = partial[0];
}
FD_KERNELS(pool_bias_back, Pool)

}  // namespace fd
