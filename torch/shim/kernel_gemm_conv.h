// Convolutions on tensor cores: the forward pass, alone or with bias, ReLU and maximum, and the gradient of the input, which is
// a convolution of the gradient of the output with the filters turned around.
#pragma once

#include "kernel_gemm_tiles.h"

namespace fd {

#if defined(__CUDACC_RTC__) || defined(FD_FIBERS)

// The weights in the order of the products, rounded. turned: for the gradient of the input. A block is a result tile's chunk of
// a client.
template <typename T, int k, bool turned>
FD_DEVICE void pack_weights(const ConvGemm &a, i64 block, float *) {
  GemmShape g = turned ? input_shape<k>(a) : forward_shape<k>(a);
  int parts = result_tiles(g) * source_chunks<T>(g), part = remainder_of(block, parts), chunk = part % source_chunks<T>(g);
  i64 client = quotient(block, parts);
  int halves = halves_of<T>(g), pairs = k / 2, groups = block_groups(g), size = chunk_weights<T, k>(g);
  const float *weight = a.weight + client * a.client;
  float *to = a.packed + client * packed_size<T, k>(g) + static_cast<i64>(part) * size;
  FD_EACH_THREAD(i, size) {
    int b = i % 2, t = i / 4 % 4, column = i / 16 % 8, step = i / 128 / groups;
    int result = ((part / source_chunks<T>(g) * groups + i / 128 % groups) * 2 + i / 2 % 2) * 8 + column;
    int rest = step - halves * k * pairs, half = 0, y = 0, z = 0;
    if (by_parity(g)) half = b, y = step / k, z = step % k;
    else if (rest < 0) half = step / (k * pairs), y = step / pairs % k, z = step % pairs + 2 * b;
    else half = halves == 2 ? b : 0, y = halves == 2 ? rest : 2 * rest + b, z = left_column<k>();
    float value[2] = {0, 0};
    for (int e = 0; e < Operands<T>::count; e++) {
      int source = ((chunk * halves + half) * 4 + t) * Operands<T>::count + e;
      if (y >= k || source >= g.source || result >= g.result) continue;
      i64 filter = turned ? static_cast<i64>(source) * a.in + result : static_cast<i64>(result) * a.in + source;
      value[e] = weight[filter * k * k + (turned ? k * k - 1 - y * k - z : y * k + z)];
    }
    to[i] = float_of(Operands<T>::count == 1 ? tf32_of(value[0]) : pair_of(value[0], value[1]));
  }
}

// A row and a column of the source, without its border, and its sample.
struct SourcePlace {
  int sample, y, z;
};
FD_DEVICE SourcePlace source_place(const GemmShape &g, int k, int row, int column) {
  int sample = row / sample_rows(g, k);
  return {sample, (row - sample * sample_rows(g, k)) * g.apart - g.border, source_column(g, column) * g.apart - g.border};
}

// Planes of all channels: the input, or the output of a convolution alone.
struct Planes {
  View at;
  int channels, height, width;
};
FD_DEVICE Planes input_planes(const ConvGemm &a) { return {a.x, a.in, a.height, a.width}; }
template <int k>
FD_DEVICE Planes output_planes(const ConvGemm &a) { return {a.y, a.out, out_height<k>(a), out_width<k>(a)}; }

// Writes words of the channels from channel on, to words that are the given size apart. They may arrive after copies_done.
FD_DEVICE void stage_planes(const Planes &s, const float *, i64 client, int channel, int words, SourcePlace p, bool inside,
                            float *to, int size) {
  const float *first = static_cast<const float *>(s.at.data), *from = first;
  inside = inside && p.y >= 0 && p.y < s.height && p.z >= 0 && p.z < s.width;
  if (inside) from = at_plane<float>(s.at, client, p.sample, channel) + p.y * s.width + p.z;
  FD_UNROLL for (int w = 0; w < words; w++) {
    bool has = inside && channel + w < s.channels;
    copy_word(to + w * size, has ? from + w * s.at.channel : first, has);
  }
}
FD_DEVICE void stage_planes(const Planes &s, const bfloat *, i64 client, int channel, int words, SourcePlace p, bool inside,
                            float *to, int size) {
  inside = inside && p.y >= 0 && p.y < s.height && p.z >= 0 && p.z < s.width;
  const bfloat *from = inside ? at_plane<bfloat>(s.at, client, p.sample, channel) + p.y * s.width + p.z : nullptr;
  FD_UNROLL for (int w = 0; w < words; w++) {
    u32 word = 0;
    if (inside && channel + 2 * w < s.channels) word = from[2 * w * s.at.channel].bits;
    if (inside && channel + 2 * w + 1 < s.channels) word |= static_cast<u32>(from[(2 * w + 1) * s.at.channel].bits) << 16;
    to[w * size] = float_of(word);
  }
}

// Likewise the gradient of the output under a maximum, which is that of the maximum at its place.
template <typename T>
FD_DEVICE void stage_maxima(const ConvGemm &a, i64 client, int channel, int words, SourcePlace p, bool inside, float *to,
                            int size) {
  inside = inside && p.y >= 0 && p.y < 2 * a.quads_h && p.z >= 0 && p.z < 2 * a.quads_w;
  int area = a.quads_h * a.quads_w, position = p.y % 2 * 2 + p.z % 2;
  i64 e = inside ? ((client * a.batch.samples + p.sample) * a.out + channel) * area + p.y / 2 * a.quads_w + p.z / 2 : 0;
  const T *grad = static_cast<const T *>(a.pooled) + e;
  const u8 *which = a.which + e;
  FD_UNROLL for (int w = 0; w < words; w++) {
    float value[2] = {0, 0};
    FD_UNROLL for (int v = 0; v < Operands<T>::count; v++) {
      int c = w * Operands<T>::count + v;
      if (inside && channel + c < a.out && which[c * area] == position) value[v] = get(grad + c * area);
    }
    to[w * size] = Operands<T>::count == 1 ? value[0] : float_of(pair_of(value[0], value[1]));
  }
}

// The weights and the source of a chunk.
template <typename T, int k, bool back>
FD_DEVICE void stage_chunk(const ConvGemm &a, const GemmShape &g, i64 client, int tile, int row, int count, int chunk,
                           float *weights, float *source) {
  int words = 4 * halves_of<T>(g), rows = most_rows(g, k, tile_quads(g)), width = row_width(g, k);
  int size = channel_size(rows * width, 8);
  int channel = chunk * words * Operands<T>::count;
  i64 before = static_cast<i64>(tile) * source_chunks<T>(g) + chunk;
  const float *from = a.packed + client * packed_size<T, k>(g) + before * chunk_weights<T, k>(g);
  FD_EACH_THREAD(i, (chunk_weights<T, k>(g) / 4)) copy_words(weights + 4 * i, from + 4 * i);
  FD_EACH_THREAD(place, rows * width) {
    SourcePlace p = source_place(g, k, row + place / width, place % width);
    Planes from = back ? output_planes<k>(a) : input_planes(a);
    if (back && !a.alone) stage_maxima<T>(a, client, channel, words, p, p.sample < count, source + place, size);
    else stage_planes(from, static_cast<const T *>(nullptr), client, channel, words, p, p.sample < count, source + place, size);
  }
}

// A step of four words at two taps, whose operands of the first row of a quad are first, and those of the second row second:
// left and right at one tap, left and right at the other. Times the groups of result channels.
template <typename T>
FD_DEVICE void gemm_step(const GemmShape &g, const float *weights, const u32 (&first)[4], const u32 (&second)[4],
                         float (&sum)[2][2 * kMostGroups][4]) {
  FD_UNROLL for (int n = 0; n < warp_groups(g); n++) {
    float b[4];
    load_four(weights + n * 128, b);
    FD_UNROLL for (int h = 0; h < 2; h++) {
      u32 low = bits_of(b[2 * h]), high = bits_of(b[2 * h + 1]);
      multiply<T>(sum[0][2 * n + h], first[0], first[1], first[2], first[3], low, high);
      multiply<T>(sum[1][2 * n + h], second[0], second[1], second[2], second[3], low, high);
    }
  }
}

// The operands of row y of a quad's patch, from which those of the taps two columns apart are taken: left and right of the first
// tap, and those of the second one.
template <typename T, int k>
FD_DEVICE void load_patch(const float *source, int width, int y, u32 (&patch)[k + 1]) {
  FD_UNROLL for (int z = 0; z <= k; z += 2) {
    float two[2];
    load_two(source + y * width + z, two);
    patch[z] = operand<T>(two[0]);
    patch[z + 1] = operand<T>(two[1]);
  }
}
// The operand of row y for the tap of the left_column, of the left or the right value of the quad.
template <typename T, int k>
FD_DEVICE u32 load_left(const GemmShape &g, const float *source, int width, int y, int right) {
  return operand<T>(load_again(source + y * width + (k == 3 ? odd_columns(g) : left_column<k>()) + right));
}

// The product of a chunk: source is the patch of the thread's quad in its first word.
template <typename T, int k>
FD_DEVICE void gemm_chunk(const GemmShape &g, const float *weights, const float *source, float (&sum)[2][2 * kMostGroups][4]) {
  int width = row_width(g, k), size = channel_size(most_rows(g, k, tile_quads(g)) * width, 8), step = block_groups(g) * 128;
  constexpr int pairs = k / 2;
  int halves = halves_of<T>(g), down = g.each == 4 ? 2 : 1, across = g.each == 4 ? 1 : 2;  // to the second row, to the second tap
  FD_UNROLL for (int half = 0; half < 2; half++) {
    if (half >= halves || pairs == 0) continue;
    u32 patch[k + 2][k + 1];
    FD_UNROLL for (int y = 0; y < k + 2; y++)
      if (y < k + down) load_patch<T, k>(source + half * 4 * size, width, y, patch[y]);
    FD_UNROLL for (int y = 0; y < k; y++)
      FD_UNROLL for (int p = 0; p < pairs; p++) {
        u32 first[4], second[4];
        FD_UNROLL for (int i = 0; i < 4; i++) {
          int column = p + i % 2 + i / 2 * across;
          first[i] = patch[y][column], second[i] = patch[y + down][column];
        }
        gemm_step<T>(g, weights + ((half * k + y) * pairs + p) * step, first, second, sum);
      }
  }
  weights += halves * k * pairs * step;
  FD_UNROLL for (int s = 0; s < k; s++) {
    if (halves == 1 && 2 * s >= k) continue;
    u32 first[4], second[4];
    FD_UNROLL for (int i = 0; i < 4; i++) {
      int half = halves == 2 ? i / 2 : 0, y = halves == 2 ? s : 2 * s + i / 2;
      const float *from = source + half * 4 * size;
      first[i] = y < k ? load_left<T, k>(g, from, width, y, i % 2) : 0;  // the weights are zero too
      second[i] = y < k ? load_left<T, k>(g, from, width, y + down, i % 2) : 0;
    }
    gemm_step<T>(g, weights + s * step, first, second, sum);
  }
}

// Bias, ReLU and maximum of a quad of an output channel.
template <typename T>
FD_DEVICE void keep_maximum(const ConvGemm &a, i64 client, int sample, int count, int quad, int channel, const float (&value)[4]) {
  i64 e = ((client * a.batch.samples + sample) * a.out + channel) * (a.quads_h * a.quads_w) + quad;
  float most = value[0];
  int where = 0;
  FD_UNROLL for (int q = 1; q < 4; q++)
    if (value[q] > most || value[q] != value[q]) {  // a NaN is the maximum, as in PyTorch
      most = value[q];
      where = q;
    }
  most += a.bias[client * a.client + channel];
  bool positive = sample < count && !(most <= 0);
  put(static_cast<T *>(a.pooled) + e, positive ? most : 0.0f);
  a.which[e] = positive ? static_cast<u8>(where) : kNothing;
}

// A quad of the gradient of the input, at row y and column z. What is added to it has rounded operands, as if the sum were a layer
// of its own.
template <typename T>
FD_DEVICE void put_gradient(const ConvGemm &a, i64 client, int sample, int channel, int y, int z, const float (&value)[4]) {
  float sum[4] = {value[0], value[1], value[2], value[3]};
  if (a.onto.data != nullptr) {
    get_quad(at_plane<T>(a.onto, client, sample, channel), a.height, a.width, y, z, sum);
    FD_UNROLL for (int q = 0; q < 4; q++) sum[q] += rounded_to<T>(value[q]);
  }
  put_quad(at_plane<T>(a.x_grad, client, sample, channel), a.height, a.width, y, z, sum);
}
// Four values, which lie two rows and columns apart from row y and column z on, and the zeros right of and below each.
template <typename T>
FD_DEVICE void put_apart(const ConvGemm &a, i64 client, int sample, int channel, int y, int z, const float (&value)[4]) {
  FD_UNROLL for (int q = 0; q < 4; q++) {
    const float quad[4] = {value[q], 0, 0, 0};
    if (z + q % 2 * 2 < a.width) put_gradient<T>(a, client, sample, channel, y + q / 2 * 2, z + q % 2 * 2, quad);
  }
}

// A block is a tile of quads, from begin on, and a tile of result channels of a client with count samples. row is the first row of
// the source.
struct GemmTile {
  int client, result, begin, count, row;
};
template <int k>
FD_DEVICE GemmTile gemm_tile(const ConvGemm &a, const GemmShape &g, i64 block) {
  int of_all = quotient(block, result_tiles(g)), tiles = quad_tiles(g, a.batch.samples);
  int client = of_all / tiles, begin = of_all % tiles * tile_quads(g);
  return {client, remainder_of(block, result_tiles(g)), begin, count_of(a.batch, client), first_row(g, k, begin / g.quads_w)};
}

// The thread's quad, or with parity the first of its two, counted over the samples, and the first result channel of its warp.
FD_DEVICE int thread_quad(const GemmShape &g, const GemmTile &t) {
  return t.begin + threadIdx.x / 32 / warps_across(g) * warp_quads(g) + threadIdx.x % 32 / 4;
}
FD_DEVICE int warp_channel(const GemmShape &g, const GemmTile &t) {
  return (t.result * warps_across(g) + threadIdx.x / 32 % warps_across(g)) * warp_groups(g) * 16;
}
// Where a quad's patch of the thread's first word lies in the source of a tile.
template <int k>
FD_DEVICE int thread_patch(const GemmShape &g, const GemmTile &t, int quad) {
  int width = row_width(g, k), word = channel_size(most_rows(g, k, tile_quads(g)) * width, 8);
  return threadIdx.x % 4 * word + (first_row(g, k, quad / g.quads_w) - t.row) * width + first_column(g, quad % g.quads_w);
}

// Calls product with the thread's weights and the source of each chunk of a tile. Meanwhile the next chunk is copied.
template <typename T, int k, bool back, typename Product>
FD_DEVICE void each_chunk(const ConvGemm &a, const GemmShape &g, const GemmTile &t, float *shared, const Product &product) {
  int size = chunk_weights<T, k>(g), half = size + source_size<T, k>(g);
  int mine = threadIdx.x / 32 % warps_across(g) * warp_groups(g) * 128 + threadIdx.x % 32 * 4;
  if (t.begin >= t.count * g.quads_h * g.quads_w) return;
  stage_chunk<T, k, back>(a, g, t.client, t.result, t.row, t.count, 0, shared, shared + size);
  for (int chunk = 0; chunk < source_chunks<T>(g); chunk++) {
    float *now = shared + chunk % 2 * half, *next = shared + (chunk + 1) % 2 * half;
    copies_done();
    FD_SYNC;  // this chunk is there, and the one before has been used
    if (chunk + 1 < source_chunks<T>(g))
      stage_chunk<T, k, back>(a, g, t.client, t.result, t.row, t.count, chunk + 1, next, next + size);
    product(now + mine, now + size);
  }
}

template <typename T, int k, bool back>
FD_DEVICE void conv_gemm(const ConvGemm &a, i64 block, float *shared) {
  GemmShape g = back ? input_shape<k>(a) : forward_shape<k>(a);
  GemmTile t = gemm_tile<k>(a, g, block);
  int mine = thread_quad(g, t), patch = thread_patch<k>(g, t, mine);
  float sum[2][2 * kMostGroups][4] = {};
  each_chunk<T, k, back>(a, g, t, shared,
                         [&](const float *weights, const float *source) { gemm_chunk<T, k>(g, weights, source + patch, sum); });
  int area = g.quads_h * g.quads_w, sample = mine / area, quad = mine % area, y = quad / g.quads_w * 2, z = quad % g.quads_w * 2;
  if (sample >= a.batch.samples) return;
  FD_UNROLL for (int n = 0; n < 2 * warp_groups(g); n++)
    FD_UNROLL for (int e = 0; e < 2; e++) {
      int channel = warp_channel(g, t) + n * 8 + threadIdx.x % 4 * 2 + e;
      if (channel >= g.result) continue;
      float value[4] = {sum[0][n][e], sum[0][n][2 + e], sum[1][n][e], sum[1][n][2 + e]};
      if (back && k == 1 && a.stride == 2) put_apart<T>(a, t.client, sample, channel, 2 * y, 2 * z, value);
      else if (back) put_gradient<T>(a, t.client, sample, channel, y, z, value);
      else if (a.alone) put_quad(at_plane<T>(a.y, t.client, sample, channel), out_height<k>(a), out_width<k>(a), y, z, value);
      else keep_maximum<T>(a, t.client, sample, t.count, quad, channel, value);
    }
}

// The gradient of the input of a filter of 3x3 and stride 2. Each tap reaches rows and columns of one parity, that is one value of
// every quad. So a warp multiplies the words of a chunk for two times eight quads at one tap, and adds the product to that value.
template <typename T>
FD_DEVICE void input_by_parity(const ConvGemm &a, i64 block, float *shared) {
  constexpr int k = 3;
  GemmShape g = input_shape<k>(a);
  GemmTile t = gemm_tile<k>(a, g, block);
  int width = row_width(g, k), word = channel_size(most_rows(g, k, tile_quads(g)) * width, 8), step = block_groups(g) * 128;
  int mine[2], patch[2];
  FD_UNROLL for (int i = 0; i < 2; i++) mine[i] = thread_quad(g, t) + 8 * i, patch[i] = thread_patch<k>(g, t, mine[i]);
  float sum[4][kMostGroups][4] = {};  // by position in the quad
  each_chunk<T, k, true>(a, g, t, shared, [&](const float *weights, const float *source) {
    u32 under[4][4];  // by place in the patch: operands of both quads in the first four words, and in the others
    FD_UNROLL for (int place = 0; place < 4; place++)
      FD_UNROLL for (int i = 0; i < 4; i++)
        under[place][i] = operand<T>(source[i / 2 * 4 * word + patch[i % 2] + place / 2 * width + place % 2]);
    FD_UNROLL for (int tap = 0; tap < k * k; tap++) {
      int y = tap / k, z = tap % k, value = (1 - y % 2) * 2 + 1 - z % 2;
      const u32(&from)[4] = under[y / 2 * 2 + z / 2];
      FD_UNROLL for (int n = 0; n < warp_groups(g); n++) {
        float b[4];
        load_four(weights + tap * step + n * 128, b);
        FD_UNROLL for (int h = 0; h < 2; h++)
          multiply<T>(sum[value][2 * n + h], from[0], from[1], from[2], from[3], bits_of(b[2 * h]), bits_of(b[2 * h + 1]));
      }
    }
  });
  int area = g.quads_h * g.quads_w;
  FD_UNROLL for (int i = 0; i < 2; i++) {
    int sample = mine[i] / area, quad = mine[i] % area, y = quad / g.quads_w * 2, z = quad % g.quads_w * 2;
    if (sample >= a.batch.samples) continue;
    FD_UNROLL for (int n = 0; n < 2 * warp_groups(g); n++)
      FD_UNROLL for (int e = 0; e < 2; e++) {
        int channel = warp_channel(g, t) + n * 8 + threadIdx.x % 4 * 2 + e;
        float value[4] = {sum[0][n][2 * i + e], sum[1][n][2 * i + e], sum[2][n][2 * i + e], sum[3][n][2 * i + e]};
        if (channel < g.result) put_gradient<T>(a, t.client, sample, channel, y, z, value);
      }
  }
}
template <typename T, int k>
FD_DEVICE void input_gemm(const ConvGemm &a, i64 block, float *shared) {
  if (k == 3 && a.stride == 2) input_by_parity<T>(a, block, shared);
  else conv_gemm<T, k, true>(a, block, shared);
}

// conv_gemm_pack and conv_gemm_turn write packed for conv_gemm_forward, which writes pooled and which, or y, and for
// conv_gemm_input, which writes x_grad.
#define FD_CONV_GEMM(name, k, call)                                                             \
  template <typename T>                                                                         \
  FD_DEVICE void conv_gemm_##name##_##k(const ConvGemm &a, i64 block, float *shared) { call; }  \
  FD_KERNELS_WARP(conv_gemm_##name##_##k, ConvGemm)
#define FD_CONV_GEMMS(k)                                                  \
  FD_CONV_GEMM(pack, k, (pack_weights<T, k, false>(a, block, shared)))    \
  FD_CONV_GEMM(turn, k, (pack_weights<T, k, true>(a, block, shared)))     \
  FD_CONV_GEMM(forward, k, (conv_gemm<T, k, false>(a, block, shared)))    \
  FD_CONV_GEMM(input, k, (input_gemm<T, k>(a, block, shared)))
FD_CONV_GEMMS(1)
FD_CONV_GEMMS(3)
FD_CONV_GEMMS(5)
#undef FD_CONV_GEMMS

#endif

}  // namespace fd
