// A convolution as a product: the windows of the input as columns, and the sum of columns' gradients back.
#pragma once

#include "kernel_code.h"

namespace fd {

struct Columns {
  View x;      // [clients, samples, channels, height width]
  void *cols;  // [clients, channels kernel kernel, samples out_height out_width]
  int samples, channels, height, width, kernel, stride, padding, out_height, out_width;
  i64 chunks;  // chunks of a row of cols, or of the samples of a channel in the backward pass
};

// A block is a chunk of a row of cols: of one kernel tap of one channel.
template <typename T>
FD_DEVICE void to_columns(const Columns &a, i64 block, float *) {
  int row = quotient(block, a.chunks), chunk = remainder_of(block, a.chunks);
  int taps = a.kernel * a.kernel, channel = row / taps, tap = row % taps;
  int ky = tap / a.kernel, kx = tap % a.kernel, plane = a.out_height * a.out_width;
  const T *x = at_plane<T>(a.x, channel / a.channels, 0, channel % a.channels);
  i64 n = static_cast<i64>(a.samples) * plane;
  T *out = static_cast<T *>(a.cols) + static_cast<i64>(row) * n + chunk_begin(chunk);
  FD_EACH(i, chunk_size(chunk, n)) {
    int e = static_cast<int>(chunk_begin(chunk)) + i, sample = e / plane, p = e % plane;
    int y = p / a.out_width * a.stride + ky - a.padding, z = p % a.out_width * a.stride + kx - a.padding;
    bool inside = y >= 0 && y < a.height && z >= 0 && z < a.width;
    put(out + i, inside ? get(x + sample * a.x.sample + y * a.width + z) : 0.0f);
  }
}
FD_KERNELS(to_columns, Columns)

// A block is a chunk of a channel of the input's gradient, which is written.
template <typename T>
FD_DEVICE void from_columns(const Columns &a, i64 block, float *) {
  int channel = quotient(block, a.chunks), chunk = remainder_of(block, a.chunks);
  int taps = a.kernel * a.kernel, plane = a.height * a.width, out_plane = a.out_height * a.out_width;
  T *x = at_plane<T>(a.x, channel / a.channels, 0, channel % a.channels);
  i64 n = static_cast<i64>(a.samples) * out_plane;
  const T *cols = static_cast<const T *>(a.cols) + channel * taps * n;
  FD_EACH(i, chunk_size(chunk, static_cast<i64>(a.samples) * plane)) {
    int e = static_cast<int>(chunk_begin(chunk)) + i, sample = e / plane, p = e % plane;
    int y = p / a.width + a.padding, z = p % a.width + a.padding;
    const T *taps_of = cols + static_cast<i64>(sample) * out_plane;
    float sum = 0;
    for (int ky = 0; ky < a.kernel; ky++, taps_of += a.kernel * n) {
      int oy = (y - ky) / a.stride;
      if (y < ky || oy >= a.out_height || oy * a.stride + ky != y) continue;
      const T *from = taps_of + oy * a.out_width;
      for (int kx = 0; kx < a.kernel; kx++, from += n) {
        int oz = (z - kx) / a.stride;
        if (z < kx || oz >= a.out_width || oz * a.stride + kx != z) continue;
        sum += get(from + oz);
      }
    }
    put(x + sample * a.x.sample + p, sum);
  }
}
FD_KERNELS(from_columns, Columns)

}  // namespace fd
