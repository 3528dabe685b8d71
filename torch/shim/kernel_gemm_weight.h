// The gradient of a convolution's weights on tensor cores, alone or with the gradient of ReLU and maximum.
#pragma once

#include "kernel_gemm_conv.h"

namespace fd {

// A step of the product is four quads. A warp has 16 or 32 output channels and eight input channels at all taps; a block has two
// times as many output channels, and up to four times as many input channels. If there are fewer, its warps share the steps
// of a stage: each of these parts has sums of its own.
constexpr int kStageQuads = 16;
template <int k>
FD_DEVICE constexpr int weight_rows() { return k == 5 ? 1 : 2; }  // groups of 16 output channels of a warp
template <int k>
FD_DEVICE int weight_outputs() { return 2 * 16 * weight_rows<k>(); }
FD_DEVICE int weight_across(const ConvGemm &a) { return a.in > 16 ? 4 : a.in > 8 ? 2 : 1; }
FD_DEVICE int weight_inputs(const ConvGemm &a) { return 8 * weight_across(a); }
FD_DEVICE int weight_parts(const ConvGemm &a) { return 4 / weight_across(a); }
template <int k>
FD_DEVICE int weight_tiles(const ConvGemm &a) {
  return (a.out + weight_outputs<k>() - 1) / weight_outputs<k>() * ((a.in + weight_inputs(a) - 1) / weight_inputs(a));
}
// Number of quads of a slice.
FD_DEVICE int slice_quads(const ConvGemm &a) {
  int stages = (a.batch.samples * a.quads_h * a.quads_w + kStageQuads - 1) / kStageQuads;
  return (stages + a.slices - 1) / a.slices * kStageQuads;
}

// Shared memory, twice: the gradients of the output, [pairs of output channels, quads, 8], and the input, [input channels, rows,
// columns]. Words have one value, or two neighbours. Channels that are eight apart are a pair: the first two or four words of a
// quad are those of its first row, left and right in turn of both channels.
template <typename T>
FD_DEVICE int quad_words() { return 8 / Operands<T>::count; }
template <typename T>
FD_DEVICE int grad_size() { return channel_size(kStageQuads * quad_words<T>(), Operands<T>::count == 1 ? 4 : 16); }
template <typename T, int k>
FD_DEVICE int input_size(const ConvGemm &a) {
  GemmShape g = forward_shape<k>(a);
  return channel_size(most_rows(g, k, kStageQuads) * row_width(g, k) / Operands<T>::count, 8 / Operands<T>::count);
}
template <typename T, int k>
FD_DEVICE int weight_stage(const ConvGemm &a) {
  return weight_outputs<k>() / 2 * grad_size<T>() + weight_inputs(a) * input_size<T, k>(a);
}
template <typename T, int k>
FD_DEVICE int weight_shared(const ConvGemm &a) { return 2 * weight_stage<T, k>(a); }

#if defined(__CUDACC_RTC__) || defined(FD_FIBERS)

// The gradients of a quad for one of a pair of channels.
FD_DEVICE void stage_quad(const float *, const float (&grad)[4], float *to) {
  FD_UNROLL for (int q = 0; q < 4; q++) to[2 * q] = float_of(tf32_of(grad[q]));
}
FD_DEVICE void stage_quad(const bfloat *, const float (&grad)[4], float *to) {
  FD_UNROLL for (int q = 0; q < 4; q += 2) to[q] = float_of(pair_of(grad[q], grad[q + 1]));
}
// The same under a maximum, where at most one of them is not zero.
FD_DEVICE void stage_maximum(const float *, float grad, int which, float *to) {
  FD_UNROLL for (int q = 0; q < 4; q++) to[2 * q] = float_of(which == q ? tf32_of(grad) : 0);
}
FD_DEVICE void stage_maximum(const bfloat *type, float grad, int which, float *to) {
  const float quad[4] = {which == 0 ? grad : 0.0f, which == 1 ? grad : 0.0f, which == 2 ? grad : 0.0f, which == 3 ? grad : 0.0f};
  stage_quad(type, quad, to);
}

// Words of the input's channels from channel on, at column p.z, in bf16 also at the column that is next columns behind it.
FD_DEVICE void stage_columns(const ConvGemm &a, const float *type, i64 client, int channel, int words, SourcePlace p, int,
                             bool inside, float *to, int size) {
  stage_planes(input_planes(a), type, client, channel, words, p, inside, to, size);
}
FD_DEVICE void stage_columns(const ConvGemm &a, const bfloat *, i64 client, int channel, int words, SourcePlace p, int next,
                             bool inside, float *to, int size) {
  inside = inside && p.y >= 0 && p.y < a.height;
  const bfloat *from = inside ? at_plane<bfloat>(a.x, client, p.sample, channel) + p.y * a.width : nullptr;
  FD_UNROLL for (int w = 0; w < words; w++) {
    const bfloat *x = from + w * a.x.channel;
    u32 word = 0;
    if (inside && channel + w < a.in && p.z >= 0 && p.z < a.width) word = x[p.z].bits;
    if (inside && channel + w < a.in && p.z + next >= 0 && p.z + next < a.width) word |= static_cast<u32>(x[p.z + next].bits) << 16;
    to[w * size] = float_of(word);
  }
}

// The quads from begin on; those from end on have gradients of zero.
template <typename T, int k>
FD_DEVICE void stage_weight(const ConvGemm &a, i64 client, int begin, int end, int count, int first_out, int first_in,
                            float *grads) {
  GemmShape g = forward_shape<k>(a);
  int area = a.quads_h * a.quads_w, rows = most_rows(g, k, kStageQuads), row = first_row(g, k, begin / g.quads_w);
  int width = row_width(g, k) / Operands<T>::count;
  float *input = grads + weight_outputs<k>() / 2 * grad_size<T>();
  constexpr int each = 8, outs = 4;  // input and output channels that a thread copies at once
  FD_EACH_THREAD(i, weight_inputs(a) / each * rows * width) {
    int channel = i / (rows * width) * each, place = i % (rows * width);
    SourcePlace p = source_place(g, k, row + place / width, place % width * Operands<T>::count);
    stage_columns(a, static_cast<const T *>(nullptr), client, first_in + channel, each, p, a.stride, p.sample < count,
                  input + channel * input_size<T, k>(a) + place, input_size<T, k>(a));
  }
  FD_EACH_THREAD(i, weight_outputs<k>() / outs * kStageQuads) {
    int out = i / kStageQuads * outs, quad = begin + i % kStageQuads, sample = quad / area, place = quad - sample * area;
    i64 e = ((client * a.batch.samples + sample) * a.out + first_out + out) * area + place;
    float *to = grads + (out / 16 * 8 + out % 8) * grad_size<T>() + i % kStageQuads * quad_words<T>() + out / 8 % 2;
    if (a.alone) {
      float grad[outs][4] = {};
      FD_UNROLL for (int o = 0; o < outs; o++)
        if (quad < end && first_out + out + o < a.out)
          get_quad(at_plane<T>(a.y, client, sample, first_out + out + o), out_height<k>(a), out_width<k>(a), place / a.quads_w * 2,
                   place % a.quads_w * 2, grad[o]);
      FD_UNROLL for (int o = 0; o < outs; o++) stage_quad(static_cast<const T *>(nullptr), grad[o], to + o * grad_size<T>());
      continue;
    }
    FD_UNROLL for (int o = 0; o < outs; o++) {
      bool has = quad < end && first_out + out + o < a.out;
      int which = has ? a.which[e + o * area] : kNothing;
      float grad = which != kNothing ? get(static_cast<const T *>(a.pooled) + e + o * area) : 0.0f;
      stage_maximum(static_cast<const T *>(nullptr), grad, which, to + o * grad_size<T>());
    }
  }
}

// The products of four quads: grads are those of the thread's quad and first pair of output channels, input its patch.
template <int k>
FD_DEVICE void weight_step(const GemmShape &g, const float *, const float *grads, const float *input, int width,
                           float (&sum)[weight_rows<k>()][k * k][4]) {
  // If there are four columns from quad to quad, patch has the even ones, and odd the others.
  u32 patch[k + 2][k + 1], odd[k + 2][2];
  int down = g.each == 4 ? 2 : 1;
  FD_UNROLL for (int y = 0; y < k + 2; y++) {
    if (y >= k + down) continue;
    float two[2];
    FD_UNROLL for (int z = 0; z <= k; z += 2) {
      load_two(input + y * width + z, two);
      patch[y][z] = tf32_of(two[0]);
      patch[y][z + 1] = tf32_of(two[1]);
    }
    if (g.each != 4) continue;
    load_two(input + y * width + odd_columns(g), two);
    odd[y][0] = tf32_of(two[0]);
    odd[y][1] = tf32_of(two[1]);
  }
  FD_UNROLL for (int m = 0; m < weight_rows<k>(); m++) {
    FD_UNROLL for (int row = 0; row < 2; row++) {
      float grad[4];
      load_four(grads + m * 8 * grad_size<float>() + 4 * row, grad);
      FD_UNROLL for (int tap = 0; tap < k * k; tap++) {
        int y = tap / k + row * down, z = tap % k, even = g.each == 4 ? z / 2 : z;
        bool is_odd = g.each == 4 && z % 2 == 1;
        multiply<float>(sum[m][tap], bits_of(grad[0]), bits_of(grad[1]), bits_of(grad[2]), bits_of(grad[3]),
                        is_odd ? odd[y][0] : patch[y][even], is_odd ? odd[y][1] : patch[y][even + 1]);
      }
    }
  }
}
template <int k>
FD_DEVICE void weight_step(const GemmShape &g, const bfloat *, const float *grads, const float *input, int width,
                           float (&sum)[weight_rows<k>()][k * k][4]) {
  u32 pairs[k + 2][k];  // the left and the right value of a quad at each tap of a row
  int down = g.each == 4 ? 2 : 1;
  FD_UNROLL for (int y = 0; y < k + 2; y++) {
    if (y >= k + down) continue;
    u32 word[(k + 1) / 2];
    FD_UNROLL for (int z = 0; z < (k + 1) / 2; z++) word[z] = bits_of(input[y * width + z]);
    FD_UNROLL for (int z = 0; z < k; z++) {
      int even = g.each == 4 ? z / 2 : z;
      pairs[y][z] = even % 2 == 0 ? word[even / 2] : word[even / 2] >> 16 | word[(even + 1) / 2] << 16;
      if (g.each == 4 && z % 2 == 1) pairs[y][z] = bits_of(input[y * width + odd_columns(g) / 2]);
    }
  }
  FD_UNROLL for (int m = 0; m < weight_rows<k>(); m++) {
    float grad[4];
    load_four(grads + m * 8 * grad_size<bfloat>(), grad);
    FD_UNROLL for (int tap = 0; tap < k * k; tap++)
      multiply<bfloat>(sum[m][tap], bits_of(grad[0]), bits_of(grad[1]), bits_of(grad[2]), bits_of(grad[3]),
                       pairs[tap / k][tap % k], pairs[tap / k + down][tap % k]);
  }
}

// A block is a slice of a client's quads, and a tile of output and input channels.
template <typename T, int k>
FD_DEVICE void weight_gemm(const ConvGemm &a, i64 block, float *shared) {
  GemmShape g = forward_shape<k>(a);
  int tiles_in = (a.in + weight_inputs(a) - 1) / weight_inputs(a), tile = remainder_of(block, weight_tiles<k>(a));
  int of_all = quotient(block, weight_tiles<k>(a)), client = of_all / a.slices, slice = of_all % a.slices;
  int first_out = tile / tiles_in * weight_outputs<k>(), first_in = tile % tiles_in * weight_inputs(a);
  int count = count_of(a.batch, client), begin = slice * slice_quads(a), end = count * a.quads_h * a.quads_w;
  if (end > begin + slice_quads(a)) end = begin + slice_quads(a);
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, out = warp % 2 * 16 * weight_rows<k>() + lane / 4;
  int pair = warp % 2 * 8 * weight_rows<k>() + lane / 4;
  int in = warp / 2 % weight_across(a) * 8, part = warp / 2 / weight_across(a), width = row_width(g, k) / Operands<T>::count;
  float sum[weight_rows<k>()][k * k][4] = {};
  if (begin < end) stage_weight<T, k>(a, client, begin, end, count, first_out, first_in, shared);
  for (int n = 0; begin < end; n++, begin += kStageQuads) {
    float *now = shared + n % 2 * weight_stage<T, k>(a), *next = shared + (n + 1) % 2 * weight_stage<T, k>(a);
    copies_done();
    FD_SYNC;  // this stage is there, and the one before has been used
    if (begin + kStageQuads < end)
      stage_weight<T, k>(a, client, begin + kStageQuads, end, count, first_out, first_in, next);
    const float *input = now + weight_outputs<k>() / 2 * grad_size<T>() + (in + lane / 4) * input_size<T, k>(a);
    int row = first_row(g, k, begin / g.quads_w);
    for (int step = part; step < kStageQuads / 4; step += weight_parts(a)) {
      int quad = step * 4 + lane % 4, at = begin + quad;
      weight_step<k>(g, static_cast<const T *>(nullptr), now + pair * grad_size<T>() + quad * quad_words<T>(),
                     input + (first_row(g, k, at / g.quads_w) - row) * width + at % g.quads_w * 2 / Operands<T>::count, width, sum);
    }
  }
  float *to = a.sums + client * a.sums_client + (slice * weight_parts(a) + part) * a.sums_slice;
  FD_UNROLL for (int m = 0; m < weight_rows<k>(); m++)
    FD_UNROLL for (int e = 0; e < 4; e++) {
      int o = first_out + out + m * 16 + e / 2 * 8, c = first_in + in + lane % 4 * 2 + e % 2;
      if (o >= a.out || c >= a.in) continue;
      FD_UNROLL for (int tap = 0; tap < k * k; tap++) to[(o * a.in + c) * k * k + tap] = sum[m][tap][e];
    }
}

// conv_gemm_weight writes sums.
FD_CONV_GEMM(weight, 1, (weight_gemm<T, 1>(a, block, shared)))
FD_CONV_GEMM(weight, 3, (weight_gemm<T, 3>(a, block, shared)))
FD_CONV_GEMM(weight, 5, (weight_gemm<T, 5>(a, block, shared)))
#undef FD_CONV_GEMM

#endif

}  // namespace fd
