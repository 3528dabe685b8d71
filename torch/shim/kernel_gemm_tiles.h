// Convolutions as products of matrices on tensor cores, without columns in memory, either with bias, ReLU and 2x2 maximum or
// alone: what the kernels of the forward pass and of both gradients have in common.
//
// The positions of the product are dealt out in quads of 2x2 neighbours: those over which a maximum is taken, or four values of
// the output of a convolution alone or of the gradient of the input. A warp computes eight quads, so that each of its threads
// has the four values of one. The thread loads the patch of inputs that its quad needs once, and takes the operands of all taps from it. A channel
// of shared memory has the rows that the quads of a tile need; the rows of samples follow each other.
//
// Convolutions alone may have filters of 1x1 or 3x3 and stride 2. The product is the same, but other places of the source lie under
// a quad:
//   1x1              every other row and column of the input; in the backward pass every other row and column has a gradient
//   3x3, forward     four rows and columns instead of two. A row of shared memory has the even columns first, so that neighbours
//                    of a quad are neighbours there
//   3x3, the input   a row and a column. Between the gradients of the output lie zeros, which are not stored. A tap meets zeros in
//                    three of the four values of a quad, so each tap is multiplied for one value only (by_parity)
#pragma once

#include "kernel_batch.h"
#include "kernel_pool.h"
#include "kernel_warp.h"

namespace fd {

struct ConvGemm {
  Batch batch;          // padded slots have outputs and gradients of zero
  View x;               // [clients, samples, in, height width]
  const float *weight;  // [clients, out, in, kernel, kernel]
  const float *bias;    // [clients, out]; not used alone
  i64 client;           // stride of both
  float *packed;        // [clients, packed_size]: the weights in the order in which a kernel reads them
  void *pooled;         // [clients, samples, out, quads_h quads_w]: the maxima; in the backward pass their gradients
  u8 *which;            // like pooled: position of the maximum in its quad, or kNothing
  View y;               // [clients, samples, out, plane], alone: the output; in the backward pass its gradient
  View x_grad;          // like x
  View onto;            // like x, or no data: what is added to the gradient of x
  float *sums;          // [clients, slices, out, in, kernel, kernel]: gradients of the weights
  i64 sums_client, sums_slice;  // strides of sums
  int slices;           // number of blocks that share the samples of a client in the weights' gradient
  int in, out, height, width, padding, quads_h, quads_w;  // quads of the output
  int alone;   // 1 without bias, ReLU and maximum
  int stride;  // 1, or alone 2: a filter of 3x3 then has a padding of 1
};

// The size of the output without a maximum.
template <int k>
FD_DEVICE int out_height(const ConvGemm &a) { return (a.height + 2 * a.padding - k) / a.stride + 1; }
template <int k>
FD_DEVICE int out_width(const ConvGemm &a) { return (a.width + 2 * a.padding - k) / a.stride + 1; }

// The product of a pass: quads of positions, of source and result channels. border: rows and columns of zeros around the source.
// each: rows and columns that shared memory has for a quad, beside those that it shares with the next one; apart: by how many rows
// and columns of the source neighbours there differ.
struct GemmShape {
  int source, result, quads_h, quads_w, border, each, apart;
};
template <int k>
FD_DEVICE GemmShape forward_shape(const ConvGemm &a) {
  return {a.in, a.out, a.quads_h, a.quads_w, a.padding, k == 1 ? 2 : 2 * a.stride, k == 1 ? a.stride : 1};
}
template <int k>
FD_DEVICE GemmShape input_shape(const ConvGemm &a) {
  if (a.stride == 2 && k == 1) return {a.out, a.in, a.quads_h, a.quads_w, 0, 2, 1};
  int quads_h = (a.height + 1) / 2, quads_w = (a.width + 1) / 2;
  if (a.stride == 2) return {a.out, a.in, quads_h, quads_w, 0, 1, 1};
  return {a.out, a.in, quads_h, quads_w, k - 1 - a.padding, 2, 1};
}

// Whether a step of the product is for one value of each quad, at one tap.
FD_DEVICE bool by_parity(const GemmShape &g) { return g.each == 1; }

// Source channels come in words of one channel (tf32) or two (bf16). A step of the product has eight words: four at two taps
// that are two columns apart, whose operands are four neighbours of a row. The taps of the column that is left are combined
// with those of the next four words, or in pairs if there are no more than four. So a chunk has one or two halves of four
// words. With parity there are always two, and a step has both at one tap.
template <typename T>
FD_DEVICE int words_of(const GemmShape &g) { return (g.source + Operands<T>::count - 1) / Operands<T>::count; }
template <typename T>
FD_DEVICE int halves_of(const GemmShape &g) { return words_of<T>(g) > 4 || by_parity(g) ? 2 : 1; }
template <typename T>
FD_DEVICE int source_chunks(const GemmShape &g) { return (words_of<T>(g) + 4 * halves_of<T>(g) - 1) / (4 * halves_of<T>(g)); }
template <typename T, int k>
FD_DEVICE int steps_of(const GemmShape &g) { return halves_of<T>(g) * (k * (k / 2)) + (halves_of<T>(g) == 2 ? k : (k + 1) / 2); }
template <int k>
FD_DEVICE constexpr int left_column() { return k == 3 ? 1 : k == 5 ? 4 : 0; }

// Result channels come in groups of 16: up to four for a warp of eight quads, and for two warps if there are more. With parity, a
// warp has two times as many quads and half as many groups.
constexpr int kMostGroups = 4;
FD_DEVICE int warp_quads(const GemmShape &g) { return by_parity(g) ? 16 : 8; }
FD_DEVICE int most_groups(const GemmShape &g) { return by_parity(g) ? kMostGroups / 2 : kMostGroups; }
FD_DEVICE int warp_groups(const GemmShape &g) {
  int all = (g.result + 15) / 16;
  return all > most_groups(g) ? most_groups(g) : all;
}
FD_DEVICE int warps_across(const GemmShape &g) {
  int all = (g.result + 15) / 16;
  return all > kMostGroups ? 2 * kMostGroups / most_groups(g) : (all + most_groups(g) - 1) / most_groups(g);
}
FD_DEVICE int block_groups(const GemmShape &g) { return warp_groups(g) * warps_across(g); }
FD_DEVICE int result_tiles(const GemmShape &g) { return (g.result + 16 * block_groups(g) - 1) / (16 * block_groups(g)); }
FD_DEVICE int tile_quads(const GemmShape &g) { return kThreads / 32 / warps_across(g) * warp_quads(g); }
FD_DEVICE int quad_tiles(const GemmShape &g, int samples) {
  return (samples * g.quads_h * g.quads_w + tile_quads(g) - 1) / tile_quads(g);
}

// Rows of the source: a sample has sample_rows of them, zeros included; first_row is the first one of a row of quads, counted over
// the samples. most_rows are those that the given number of quads need at most, from a whole multiple of that number on.
FD_DEVICE int rows_behind(const GemmShape &g, int k) { return g.each == 2 ? k - 1 : 1; }  // beside those from quad to quad
FD_DEVICE int sample_rows(const GemmShape &g, int k) { return g.each * g.quads_h + rows_behind(g, k); }
FD_DEVICE int first_row(const GemmShape &g, int k, int quad_row) {
  return quad_row / g.quads_h * sample_rows(g, k) + quad_row % g.quads_h * g.each;
}
// Columns of a row, of which the first even_columns are the even ones if there are four from quad to quad.
FD_DEVICE int even_columns(const GemmShape &g) { return 2 * g.quads_w + 2; }
FD_DEVICE int row_width(const GemmShape &g, int k) {
  return g.each == 4 ? even_columns(g) + 2 * g.quads_w : g.each * g.quads_w + rows_behind(g, k);
}
// Where a quad's patch begins in a row, and its odd columns.
FD_DEVICE int first_column(const GemmShape &g, int quad_column) { return g.each == 1 ? quad_column : 2 * quad_column; }
FD_DEVICE int odd_columns(const GemmShape &g) { return g.each == 4 ? even_columns(g) : 1; }
// A column of the source.
FD_DEVICE int source_column(const GemmShape &g, int column) {
  if (g.each != 4) return column;
  return column < even_columns(g) ? 2 * column : 2 * (column - even_columns(g)) + 1;
}
FD_DEVICE int most_rows(const GemmShape &g, int k, int quads) {
  int rows = quads % g.quads_w == 0 ? quads / g.quads_w : (quads + g.quads_w - 2) / g.quads_w + 1;
  bool whole = quads % g.quads_w == 0 && rows % g.quads_h == 0, within = quads % g.quads_w == 0 && g.quads_h % rows == 0;
  int ends = within ? 0 : whole ? rows / g.quads_h - 1 : (rows + g.quads_h - 2) / g.quads_h;
  return g.each * rows + (ends + 1) * rows_behind(g, k);
}
// The next size of a channel in shared memory that has the given remainder by 32, so that threads on different channels use
// different banks.
FD_DEVICE int channel_size(int words, int remainder) { return (words + 31 - remainder) / 32 * 32 + remainder; }

// The packed weights, [result tiles, chunks, steps, groups, lanes, 4], of which a thread reads the last four at once: b0 and b1 of
// two times eight result channels.
template <typename T, int k>
FD_DEVICE int chunk_weights(const GemmShape &g) { return steps_of<T, k>(g) * block_groups(g) * 128; }
template <typename T, int k>
FD_DEVICE int packed_size(const GemmShape &g) { return result_tiles(g) * source_chunks<T>(g) * chunk_weights<T, k>(g); }

// Shared memory: twice the weights and the source of a chunk, or once if there is one chunk.
template <typename T, int k>
FD_DEVICE int source_size(const GemmShape &g) {
  return 4 * halves_of<T>(g) * channel_size(most_rows(g, k, tile_quads(g)) * row_width(g, k), 8);
}
template <typename T, int k>
FD_DEVICE int gemm_shared(const GemmShape &g) {
  return (source_chunks<T>(g) > 1 ? 2 : 1) * (chunk_weights<T, k>(g) + source_size<T, k>(g));
}

// The word of operands that a word of shared memory holds.
FD_DEVICE u32 operand(const float *, float word) { return tf32_of(word); }
FD_DEVICE u32 operand(const bfloat *, float word) { return bits_of(word); }
template <typename T>
FD_DEVICE u32 operand(float word) { return operand(static_cast<const T *>(nullptr), word); }

// Two values as a word of bf16.
FD_DEVICE u32 pair_of(float low, float high) {
  bfloat l, h;
  put(&l, low);
  put(&h, high);
  return l.bits | static_cast<u32>(h.bits) << 16;
}

// Two neighbours, the first of which begins a word of 8 bytes.
FD_DEVICE void load_two(const float *from, float (&to)[2]) {
#ifdef __CUDACC_RTC__
  float2 v = *reinterpret_cast<const float2 *>(from);
  to[0] = v.x, to[1] = v.y;
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(from, 8);
#endif
  to[0] = from[0], to[1] = from[1];
#endif
}
// The same for activations; bfloat16 values begin a word of 4 bytes.
FD_DEVICE void get_two(const float *from, float (&to)[2]) { load_two(from, to); }
FD_DEVICE void get_two(const bfloat *from, float (&to)[2]) {
#ifdef __CUDACC_RTC__
  u32 word = *reinterpret_cast<const u32 *>(from);
  to[0] = float_of(word << 16), to[1] = float_of(word & 0xffff0000);
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(from, 4);
#endif
  to[0] = get(from), to[1] = get(from + 1);
#endif
}
FD_DEVICE void put_two(float *to, float left, float right) {
#ifdef __CUDACC_RTC__
  *reinterpret_cast<float2 *>(to) = make_float2(left, right);
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(to, 8);
#endif
  to[0] = left, to[1] = right;
#endif
}
FD_DEVICE void put_two(bfloat *to, float left, float right) {
#ifdef __CUDACC_RTC__
  *reinterpret_cast<u32 *>(to) = pair_of(left, right);
#else
#ifdef FD_FIBERS
  fd_fibers_aligned(to, 4);
#endif
  put(to, left), put(to + 1, right);
#endif
}

// The four values of the quad at row y and column z of a plane. Beyond the edges they are zeros, and nothing is written. If the
// width is even, two neighbours begin a word.
template <typename T>
FD_DEVICE void get_quad(const T *plane, int height, int width, int y, int z, float (&value)[4]) {
  FD_UNROLL for (int r = 0; r < 2; r++) {
    const T *from = plane + (y + r) * width + z;
    float two[2] = {0, 0};
    if (y + r < height) {
      if (width % 2 == 0) {
        get_two(from, two);
      } else {
        two[0] = get(from);
        if (z + 1 < width) two[1] = get(from + 1);
      }
    }
    value[2 * r] = two[0], value[2 * r + 1] = two[1];
  }
}
template <typename T>
FD_DEVICE void put_quad(T *plane, int height, int width, int y, int z, const float (&value)[4]) {
  FD_UNROLL for (int r = 0; r < 2; r++) {
    T *to = plane + (y + r) * width + z;
    if (y + r >= height) continue;
    if (width % 2 == 0) {
      put_two(to, value[2 * r], value[2 * r + 1]);
    } else {
      put(to, value[2 * r]);
      if (z + 1 < width) put(to + 1, value[2 * r + 1]);
    }
  }
}

// A value that has been loaded before. A second load puts it where the instruction needs it; otherwise the compiler copies it
// several times.
FD_DEVICE float load_again(const float *from) { return *static_cast<const volatile float *>(from); }

}  // namespace fd
