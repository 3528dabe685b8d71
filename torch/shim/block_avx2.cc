#include "block_avx2.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("avx2,fma")
#endif

namespace fd {
namespace {

typedef float v8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));

inline v8 load(const float *p) {
  v8 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float *p, v8 v) { std::memcpy(p, &v, sizeof v); }
inline v8 splat(float x) { return v8{x, x, x, x, x, x, x, x}; }

// dst[g][8v] += sum_i value_i source[offset_i][g][8v] over G rows of V vectors, summed in registers.
template <int G, int V>
void accumulate(float *dst, int64_t dst_row, const float *source, int64_t source_row, const int32_t *offset,
                const float *value, int64_t n) {
  v8 sum[G][V];
  for (int g = 0; g < G; g++)
    for (int v = 0; v < V; v++) sum[g][v] = load(dst + g * dst_row + 8 * v);
  for (int64_t i = 0; i < n; i++) {
    const float *p = source + offset[i];
    v8 s = splat(value[i]);
    for (int g = 0; g < G; g++)
      for (int v = 0; v < V; v++) sum[g][v] += s * load(p + g * source_row + 8 * v);
  }
  for (int g = 0; g < G; g++)
    for (int v = 0; v < V; v++) store(dst + g * dst_row + 8 * v, sum[g][v]);
}

// The same for all kernel rows and any width, with as many rows and vectors at a time as fit into registers.
void accumulate_rows(int64_t rows, int64_t vectors, float *dst, int64_t dst_row, const float *source,
                     int64_t source_row, const int32_t *offset, const float *value, int64_t n) {
  if (n == 0) return;
  while (rows > 0) {
    int64_t g = vectors == 1 ? std::min<int64_t>(rows, 5) : vectors <= 4 ? std::min<int64_t>(rows, 3) : 1;
    for (int64_t v = 0; v < vectors;) {
      int64_t left = vectors - v;
      float *d = dst + 8 * v;
      const float *s = source + 8 * v;
      auto run = [&](auto kernel, int64_t width) {
        kernel(d, dst_row, s, source_row, offset, value, n);
        v += width;
      };
      if (g == 5) run(accumulate<5, 1>, 1);
      else if (g == 4) run(accumulate<4, 1>, 1);
      else if (g == 3 && left >= 4) run(accumulate<3, 4>, 4);
      else if (g == 3 && left >= 2) run(accumulate<3, 2>, 2);
      else if (g == 3) run(accumulate<3, 1>, 1);
      else if (g == 2 && left >= 4) run(accumulate<2, 4>, 4);
      else if (g == 2 && left >= 2) run(accumulate<2, 2>, 2);
      else if (g == 2) run(accumulate<2, 1>, 1);
      else if (left >= 12) run(accumulate<1, 12>, 12);
      else if (left >= 8) run(accumulate<1, 8>, 8);
      else if (left >= 4) run(accumulate<1, 4>, 4);
      else if (left >= 2) run(accumulate<1, 2>, 2);
      else run(accumulate<1, 1>, 1);
    }
    rows -= g;
    dst += g * dst_row;
    source += g * source_row;
  }
}

// Computes PX adjacent pooled outputs for VO vectors of output channels, with 4 PX VO sums in registers.
template <int PX, int VO>
void forward_tile(const BlockShape &s, const float *x, const float *weight, const float *bias, float *out,
                  uint8_t *which, int64_t channels) {
  const int64_t line = s.width * s.in, wide = s.wide();
  v8 sum[2][2 * PX][VO];
  for (int r = 0; r < 2; r++)
    for (int c = 0; c < 2 * PX; c++)
      for (int v = 0; v < VO; v++) sum[r][c][v] = load(bias + 8 * v);
  for (int64_t ky = 0; ky < s.kernel; ky++) {
    const float *p = x + ky * line;
    for (int64_t tap = 0; tap < s.kernel * s.in; tap++, p++, weight += wide) {
      v8 w[VO];
      for (int v = 0; v < VO; v++) w[v] = load(weight + 8 * v);
      for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2 * PX; c++) {
          v8 a = splat(p[r * line + c * s.in]);
          for (int v = 0; v < VO; v++) sum[r][c][v] += a * w[v];
        }
    }
  }
  for (int px = 0; px < PX; px++, out += s.out, which += s.out)
    for (int v = 0; v < VO; v++) {
      v8 m = sum[0][2 * px][v], b = sum[0][2 * px + 1][v], c = sum[1][2 * px][v], d = sum[1][2 * px + 1][v];
      i8 i = {};
      i8 t = b > m;
      m = t ? b : m;
      i = t ? i8{1, 1, 1, 1, 1, 1, 1, 1} : i;
      t = c > m;
      m = t ? c : m;
      i = t ? i8{2, 2, 2, 2, 2, 2, 2, 2} : i;
      t = d > m;
      m = t ? d : m;
      i = t ? i8{3, 3, 3, 3, 3, 3, 3, 3} : i;
      v8 zero = {};
      i = m > zero ? i : i8{4, 4, 4, 4, 4, 4, 4, 4};
      m = m < zero ? zero : m;  // a NaN stays a NaN
      store(out + 8 * v, m);    // the next pixel overwrites the values after the last channel
      int64_t n = std::min<int64_t>(8, channels - 8 * v);
      for (int64_t k = 0; k < n; k++) which[8 * v + k] = static_cast<uint8_t>(i[k]);
    }
}

}  // namespace

void block_forward_avx2(const BlockShape &s, const float *x, const float *weight, const float *bias, float *out,
                        uint8_t *which) {
  const int64_t line = s.width * s.in;
  for (int64_t n = 0; n < s.images; n++, x += s.height * line)
    for (int64_t py = 0; py < s.pooled_h; py++) {
      const float *row = x + 2 * py * line;
      float *o = out + (n * s.pooled_h + py) * s.pooled_w * s.out;
      uint8_t *w = which + (n * s.pooled_h + py) * s.pooled_w * s.out;
      int64_t px = 0;
      if (s.wide() == 8)
        for (; px + 2 <= s.pooled_w; px += 2)
          forward_tile<2, 1>(s, row + 2 * px * s.in, weight, bias, o + px * s.out, w + px * s.out, s.out);
      for (; px < s.pooled_w; px++) {
        if (s.wide() == 8)
          forward_tile<1, 1>(s, row + 2 * px * s.in, weight, bias, o + px * s.out, w + px * s.out, s.out);
        else
          forward_tile<1, 2>(s, row + 2 * px * s.in, weight, bias, o + px * s.out, w + px * s.out, s.out);
      }
    }
}

void block_weight_grad_avx2(const BlockShape &s, const float *x, const float *grad, const uint8_t *which,
                            float *weight_grad, float *bias_grad) {
  const int64_t line = s.width * s.in, pooled = s.pooled_h * s.pooled_w;
  std::vector<int32_t> offset(pooled);
  std::vector<float> value(pooled);
  for (int64_t n = 0; n < s.images; n++, x += s.height * line, grad += pooled * s.out, which += pooled * s.out)
    for (int64_t o = 0; o < s.out; o++) {
      int64_t count = 0;
      float total = 0;
      for (int64_t py = 0, p = o; py < s.pooled_h; py++)
        for (int64_t px = 0; px < s.pooled_w; px++, p += s.out) {
          int64_t w = which[p];
          if (w > 3) continue;
          offset[count] = static_cast<int32_t>((2 * py + (w >> 1)) * line + (2 * px + (w & 1)) * s.in);
          value[count++] = grad[p];
          total += grad[p];
        }
      bias_grad[o] += total;
      accumulate_rows(s.kernel, s.row() / 8, weight_grad + o * s.kernel * s.row(), s.row(), x, line, offset.data(),
                      value.data(), count);
    }
}

void block_input_grad_avx2(const BlockShape &s, const float *weight, const float *grad, const uint8_t *which,
                           float *input_grad) {
  const int64_t line = s.width * s.in, one = s.kernel * s.row();
  std::vector<int32_t> offset(4 * s.out);
  std::vector<float> value(4 * s.out);
  for (int64_t n = 0; n < s.images; n++, input_grad += s.height * line)
    for (int64_t py = 0; py < s.pooled_h; py++)
      for (int64_t px = 0; px < s.pooled_w; px++, grad += s.out, which += s.out) {
        int64_t count[5] = {0, 0, 0, 0, 0};
        for (int64_t o = 0; o < s.out; o++) {
          int64_t w = which[o];
          if (w > 3) continue;
          offset[w * s.out + count[w]] = static_cast<int32_t>(o * one);
          value[w * s.out + count[w]++] = grad[o];
        }
        for (int64_t w = 0; w < 4; w++)
          accumulate_rows(s.kernel, s.row() / 8,
                          input_grad + (2 * py + (w >> 1)) * line + (2 * px + (w & 1)) * s.in, line, weight, s.row(),
                          offset.data() + w * s.out, value.data() + w * s.out, count[w]);
      }
}

}  // namespace fd
